import numpy as np
import pandas as pd
import pytest

from stages import compare
from stages.config.params import load_params
from stages.ecg import aami
from stages.ecg.annotations import Annotations, read_annotations, write_annotations
from stages.files.writing import read_json
from stages.inference.annotated_records import read_references, write_predicted
from stages.scores.ec57 import show

BEATS = pd.DataFrame(
    {
        "record": ["100", "100", "101", "101"],
        "sample": [0, 360, 0, 360],
        "time_s": [0.0, 1.0, 0.0, 1.0],
        "aami": ["N", "N", "V", "S"],
    }
)
CNN = np.array([[0.9, 0, 0.1, 0, 0], [0.6, 0.4, 0, 0, 0], [0.6, 0, 0.4, 0, 0], [0.9, 0.1, 0, 0, 0]])
RNN = np.array([[0.9, 0, 0.1, 0, 0], [0.1, 0.9, 0, 0, 0], [0.1, 0, 0.9, 0, 0], [0.9, 0.1, 0, 0, 0]])
PROTOCOLS = ("inter_patient", "intra_patient")


@pytest.fixture
def params():
    read = load_params()
    return read.model_copy(update={"evaluate": read.evaluate.model_copy(update={"start_s": 0.0})})


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for name in ("metrics", "predictions", "annotations", "raw"):
        monkeypatch.setattr(compare, name.upper(), tmp_path / name)
    raw = tmp_path / "raw" / "mitdb"
    raw.mkdir(parents=True)
    for record, symbols, sex in (("100", "Ne", "M"), ("101", "VA", "F")):
        (raw / f"{record}.hea").write_text(f"{record} 0 360 3600\n# 60 {sex}\n")
        write_annotations(raw, record, "atr", Annotations.of_beats([0, 360], list(symbols)))
    for protocol in PROTOCOLS:
        (tmp_path / "predictions" / protocol).mkdir(parents=True)
        for name, probabilities in (("cnn", CNN), ("rnn", RNN)):
            table = pd.concat([BEATS, pd.DataFrame(probabilities, columns=list(aami.PROBABILITY_COLUMNS))], axis=1)
            table.to_parquet(tmp_path / "predictions" / protocol / f"{name}.parquet")
            called = probabilities.argmax(axis=1)
            annotated = tmp_path / "annotations" / protocol / name
            write_predicted(annotated, name, BEATS, called, read_references(raw, BEATS))
    return tmp_path


def test_the_ensemble_averages_probabilities(folders):
    _, classifiers = compare.read_predictions("inter_patient")
    np.testing.assert_allclose(classifiers["ensemble"], (CNN + RNN) / 2)


def test_all_three_are_scored_and_their_differences_told(folders, params):
    compare.compare(params)
    scores = scores_of(folders)
    assert scores["cnn"]["accuracy"] == 0.5  # V called N
    assert scores["rnn"]["accuracy"] == 0.5  # the second N called S
    assert scores["ensemble"]["se_V"] == 1.0
    differences = table_of(folders, "differences").query("protocol == 'inter-patient'").set_index("models")
    assert differences.loc["rnn - cnn", "accuracy"] == 0.0
    assert differences.loc["ensemble - cnn", "macro_f1"] == pytest.approx(
        scores["ensemble"]["macro_f1"] - scores["cnn"]["macro_f1"], abs=1e-6
    )


def scores_of(folders, protocol="inter_patient"):
    return read_json(folders / "metrics" / "compare" / "scores.json")[protocol]


def table_of(folders, name):
    return pd.read_csv(folders / "metrics" / "compare" / f"{name}.csv", dtype={"record": str})


def test_the_ensemble_has_headlines_of_its_own(folders, params):
    compare.compare(params)
    for protocol in PROTOCOLS:
        headlines = read_json(folders / "metrics" / protocol / "ensemble.json")
        assert headlines["accuracy"] == scores_of(folders, protocol)["ensemble"]["accuracy"]
        assert set(headlines) == {"accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se_average", "veb_se_average"}


def test_the_main_scores_carry_the_label(folders, params):
    compare.compare(params)
    shown = compare.headline_table(read_json(folders / "metrics" / "compare" / "scores.json"), synthetic=True)
    assert shown.count("SYNTHETIC data") == 2
    assert shown.count("ensemble") == 2


def test_the_scores_without_a_record_stand_beside_the_others(folders, params):
    evaluate = params.evaluate.model_copy(update={"without": ("101",)})
    compare.compare(params.model_copy(update={"evaluate": evaluate}))
    scores = scores_of(folders)["cnn"]
    assert scores["accuracy_without_101"] == 1.0
    assert {"f1_S_without_101", "sveb_se_without_101", "veb_ppv_without_101"} <= set(scores)


def test_networks_that_saw_other_beats_cannot_be_compared(folders):
    path = folders / "predictions" / "inter_patient" / "rnn.parquet"
    pd.read_parquet(path).iloc[::-1].to_parquet(path)
    with pytest.raises(ValueError, match="inter_patient: rnn and cnn classified different beats"):
        compare.read_predictions("inter_patient")


def test_both_conventions_for_escape_beats_are_told(folders, params):
    compare.compare(params)
    views = table_of(folders, "ec57").query("protocol == 'inter-patient' and model == 'rnn' and kind == 'gross'")
    views = views[views["period"] == "from_start"].set_index("convention")
    assert views.loc["e_j_in_n", "sveb_tp"] == 0  # the escape beat of 100 is N, and was called S
    assert views.loc["e_j_in_n", "sveb_fp"] == 1
    assert views.loc["e_j_in_s", "sveb_tp"] == 1
    assert views.loc["e_j_in_s", "sveb_fp"] == 0
    table = table_of(folders, "ec57_records")
    assert set(table["model"]) == {"cnn", "rnn", "ensemble"}
    assert table["Vn"].sum() > 0


def test_every_score_and_group_is_in_the_tables(folders, params):
    compare.compare(params)
    names = ("per_class", "differences", "mcnemar", "intervals", "subgroups", "ec57", "ec57_records")
    tables = {name: table_of(folders, name) for name in names}
    assert all(set(table["protocol"]) == {"inter-patient", "patient-mixed"} for table in tables.values())
    assert {"macro_f1_nsvf", "veb_se", "sveb_ppv", "veb_fpr"} <= set(tables["intervals"]["score"])
    differences = tables["intervals"].query("model == 'rnn - cnn'")
    assert {"f1_V", "veb_se", "sveb_ppv"} <= set(differences["score"])
    women = tables["subgroups"].query("model == 'cnn' and by == 'sex' and group == 'F'").iloc[0]
    assert (women["records"], women["beats"], women["accuracy"]) == (1, 2, 0.0)
    errs = tables["mcnemar"].query("protocol == 'inter-patient' and first == 'rnn' and second == 'cnn'").iloc[0]
    assert (errs["only_first_right"], errs["only_second_right"], errs["p_value"]) == (1, 1, 1.0)


def test_a_tiny_p_value_does_not_become_zero_in_its_table(tmp_path):
    compare.write_table(tmp_path, "mcnemar", pd.DataFrame({"p_value": [2.4e-16]}))
    assert pd.read_csv(tmp_path / "mcnemar.csv")["p_value"].tolist() == [2.4e-16]


def test_a_false_positive_rate_prints_from_its_table_as_it_did_before(tmp_path):
    rate = 398 / 47018  # 0.84648 %, and 0.8465 % after six decimals
    compare.write_table(tmp_path, "ec57", pd.DataFrame({"veb_fpr": [rate]}))
    (read,) = pd.read_csv(tmp_path / "ec57.csv")["veb_fpr"]
    assert show(read, 3) == show(rate, 3) == "0.846"
    assert show(round(rate, 6), 3) != "0.846"


def test_other_scores_are_written_with_six_decimals(tmp_path):
    compare.write_table(tmp_path, "subgroups", pd.DataFrame({"accuracy": [0.12345678]}))
    assert (tmp_path / "subgroups.csv").read_text() == "accuracy\n0.123457\n"


def test_each_record_is_resampled_once_though_scoring_starts_at_zero(folders, params, monkeypatch):
    resampled_tables = []
    counted = compare.comparison.ec57_intervals
    monkeypatch.setattr(
        compare.comparison,
        "ec57_intervals",
        lambda tables, *how: resampled_tables.append(tables) or counted(tables, *how),
    )
    assert params.evaluate.start_s == 0
    compare.compare(params)
    assert len(resampled_tables) == 2
    assert all(table["record"].tolist() == ["100", "101"] for tables in resampled_tables for table in tables.values())


def test_the_ensemble_is_annotated_like_the_networks(folders, params):
    compare.compare(params)
    read = read_annotations(folders / "annotations" / "inter_patient" / "ensemble", "101", "ens")
    assert read.samples.tolist() == [0, 360]
    assert read.symbols.tolist() == ["V", "N"]
