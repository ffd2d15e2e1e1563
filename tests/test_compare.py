import json

import numpy as np
import pandas as pd
import pytest

from stages import compare
from stages.ecg import aami
from stages.params import load_params

BEATS = pd.DataFrame(
    {
        "record": ["100", "100", "101", "101"],
        "sample": range(4),
        "time_s": np.arange(4) + 400.0,
        "aami": ["N", "N", "V", "S"],
    }
)
SETTINGS = load_params().evaluate
CNN = np.array([[0.9, 0, 0.1, 0, 0], [0.6, 0.4, 0, 0, 0], [0.6, 0, 0.4, 0, 0], [0.9, 0.1, 0, 0, 0]])
RNN = np.array([[0.9, 0, 0.1, 0, 0], [0.1, 0.9, 0, 0, 0], [0.1, 0, 0.9, 0, 0], [0.9, 0.1, 0, 0, 0]])


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "METRICS", tmp_path / "metrics")
    monkeypatch.setattr(compare, "PREDICTIONS", tmp_path / "predictions")
    for protocol in ("inter_patient", "intra_patient"):
        (tmp_path / "predictions" / protocol).mkdir(parents=True)
        (tmp_path / "metrics" / protocol).mkdir(parents=True)
        (tmp_path / "metrics" / protocol / "cnn.json").write_text(
            json.dumps({"protocol": f"{protocol}, SYNTHETIC data"})
        )
        for name, probabilities in (("cnn", CNN), ("rnn", RNN)):
            table = pd.concat([BEATS, pd.DataFrame(probabilities, columns=list(aami.PROBABILITY_COLUMNS))], axis=1)
            table.to_parquet(tmp_path / "predictions" / protocol / f"{name}.parquet")
    return tmp_path


def test_the_ensemble_averages_probabilities(folders):
    _, classifiers = compare.read_predictions("inter_patient")
    np.testing.assert_allclose(classifiers["ensemble"], (CNN + RNN) / 2)


def test_all_three_are_scored_and_their_differences_told(folders):
    compare.compare(SETTINGS)
    report = json.loads((folders / "metrics" / "compare.json").read_text())["inter_patient"]
    assert report["cnn"]["accuracy"] == 0.5  # V called N
    assert report["rnn"]["accuracy"] == 0.5  # the second N called S
    assert report["ensemble"]["per_class"]["V"]["se"] == 1.0
    assert report["delta"]["rnn_minus_cnn"]["accuracy"] == 0.0
    assert report["delta"]["ensemble_minus_cnn"]["macro_f1"] == pytest.approx(
        report["ensemble"]["macro_f1"] - report["cnn"]["macro_f1"]
    )
    assert (folders / "metrics" / "compare" / "inter_patient.png").stat().st_size > 1000


def test_the_headlines_carry_the_label(folders):
    compare.compare(SETTINGS)
    shown = compare.headlines(json.loads((folders / "metrics" / "compare.json").read_text()))
    assert shown.count("SYNTHETIC data") == 2
    assert shown.count("ensemble") == 2


def test_networks_that_saw_other_beats_cannot_be_compared(folders):
    path = folders / "predictions" / "inter_patient" / "rnn.parquet"
    pd.read_parquet(path).iloc[::-1].to_parquet(path)
    with pytest.raises(ValueError, match="inter_patient: rnn and cnn classified different beats"):
        compare.read_predictions("inter_patient")


def test_scores_without_a_record_are_those_of_the_others():
    others = BEATS.assign(record="232", aami=["S", "S", "S", "V"])
    settings = SETTINGS.model_copy(update={"without": ("232", "999")})
    alone = compare.score(BEATS, CNN, settings)
    both = compare.score(pd.concat([BEATS, others]), np.concatenate([CNN, CNN]), settings)
    assert list(both["without"]) == ["232"]
    assert both["without"]["232"]["accuracy"] == alone["accuracy"] != both["accuracy"]
    assert both["without"]["232"]["f1_N"] == alone["per_class"]["N"]["f1"]


def test_every_score_and_difference_has_an_interval(folders):
    compare.compare(SETTINGS)
    table = pd.read_csv(folders / "metrics" / "compare" / "intervals.csv")
    assert set(table["model"]) == {"cnn", "rnn", "ensemble", "rnn - cnn", "ensemble - cnn", "ensemble - rnn"}
    assert set(table["protocol"]) == {"inter_patient, SYNTHETIC data", "intra_patient, SYNTHETIC data"}
    cnn = table[(table["model"] == "cnn") & (table["score"] == "accuracy")].iloc[0]
    assert (cnn["low"], cnn["value"], cnn["high"]) == (0, 0.5, 1)  # one record all right, the other all wrong
    report = json.loads((folders / "metrics" / "compare.json").read_text())["inter_patient"]
    assert report["mcnemar"]["rnn_vs_cnn"] == {"only_first_right": 1, "only_second_right": 1, "p_value": 1.0}
