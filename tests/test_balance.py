import json

import numpy as np
import pandas as pd
import pytest

from stages.balance import assign_folds, split
from stages.config.params import ParamsError, load_params
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About, BeatSet, read_beats
from stages.ecg.databases import SYNTHETIC
from stages.ecg.folds import NO_FOLD

SETTINGS = load_params().balance


@pytest.fixture
def beats(beat_format):
    rng = np.random.default_rng(0)
    count = 40 * len(SYNTHETIC.records)
    table = pd.DataFrame(
        {
            "record": np.repeat(SYNTHETIC.records, 40),
            "aami": (list("N" * 28 + "S" * 4 + "V" * 4 + "F" * 2 + "Q" * 2)) * len(SYNTHETIC.records),
            "flat": False,
            "invalid": False,
            **{name: rng.normal(size=count) for name in FEATURES},
        }
    )
    # The first sample of each window numbers the beat, so that a beat can be followed into its fold.
    signals = np.zeros((count, *beat_format.shape), dtype=np.float32)
    signals[:, 0, 0] = np.arange(count)
    return BeatSet(signals, table, About("synthetic", "1.0.0", True, beat_format))


def run(beats, tmp_path, protocol="inter_patient", **changes):
    settings = SETTINGS.model_copy(update=changes)
    split(beats, protocol, settings, tmp_path / "balanced", tmp_path / "metrics")
    folds = {fold: read_beats(tmp_path / "balanced" / fold) for fold in ("train", "test")}
    about = json.loads((tmp_path / "balanced" / "train" / "draws.json").read_text())
    return folds, pd.read_parquet(tmp_path / "balanced" / "train" / "draws.parquet"), about


@pytest.mark.parametrize("protocol", ["inter_patient", "intra_patient"])
@pytest.mark.parametrize("method", ["none", "oversample", "smote", "augment", "undersample", "class_weight"])
def test_every_beat_is_in_one_fold_once_whatever_the_method(beats, tmp_path, protocol, method):
    folds, _, _ = run(beats, tmp_path, protocol, method=method, ratio=0.5)
    numbers = np.concatenate([fold.signals[:, 0, 0] for fold in folds.values()])
    assert sorted(numbers) == list(range(len(beats.signals)))
    for fold in folds.values():
        np.testing.assert_array_equal(
            fold.table["record"], beats.table["record"].iloc[fold.signals[:, 0, 0].astype(int)]
        )


@pytest.mark.parametrize("method", ["oversample", "smote", "augment", "undersample", "class_weight"])
def test_balancing_draws_no_beat_that_is_held_out(beats, tmp_path, method):
    plain, _, _ = run(beats, tmp_path / "plain", method="none")
    balanced, draws, _ = run(beats, tmp_path / "balanced", method=method, ratio=0.5)
    for fold in ("train", "test"):
        np.testing.assert_array_equal(plain[fold].signals, balanced[fold].signals)
        assert plain[fold].table.equals(balanced[fold].table)
    fold_of_beat = balanced["train"].table["fold"].to_numpy()
    assert (fold_of_beat[draws["beat"]] != draws["held_out"]).all()
    assert (fold_of_beat[draws["partner"]] != draws["held_out"]).all()


@pytest.mark.parametrize("protocol", ["inter_patient", "intra_patient"])
def test_every_training_beat_is_held_out_once_and_learned_from_in_all_other_folds(beats, tmp_path, protocol):
    folds, draws, _ = run(beats, tmp_path, protocol)
    table = folds["train"].table
    for fold in table["fold"].unique():
        drawn = draws.loc[draws["held_out"] == fold, "beat"]
        assert sorted(drawn) == np.flatnonzero(table["fold"] != fold).tolist()
    assert sorted(draws.loc[draws["held_out"] == NO_FOLD, "beat"]) == list(range(len(table)))


def test_draws_cost_no_signals(beats, tmp_path):
    folds, draws, _ = run(beats, tmp_path, method="oversample", ratio=1.0)
    assert (draws.groupby("held_out").size() > len(folds["train"].signals) / 2).all()
    assert len(folds["train"].signals) == beats.table["record"].isin(SYNTHETIC.ds1).sum()


def test_the_scaler_is_learned_without_the_beats_held_out_and_the_test_beats(beats, tmp_path):
    _, _, before = run(beats, tmp_path / "a")
    strangers = beats.table["record"].isin([*SYNTHETIC.ds2, *SETTINGS.folds["synthetic"][0]])
    for name in FEATURES:
        beats.table.loc[strangers, name] = 1e6
    _, _, after = run(beats, tmp_path / "b")
    assert before["held_out"]["1"]["rhythm"] == after["held_out"]["1"]["rhythm"]
    assert before["held_out"]["2"]["rhythm"] != after["held_out"]["2"]["rhythm"]


def test_unreadable_beats_are_not_learned_from_but_stay_in_their_fold(beats, tmp_path):
    beats.table.loc[:2, "flat"] = True
    folds, draws, about = run(beats, tmp_path)
    assert about["left_out"] == 3
    assert not set(draws["beat"]) & {0, 1, 2}
    assert len(folds["train"].table) == 320


def test_only_class_weighting_weighs(beats, tmp_path):
    _, _, about = run(beats, tmp_path / "a", method="class_weight", ratio=0.01)
    weights = about["held_out"]["1"]["class_weights"]
    assert weights["F"] == pytest.approx(14 * weights["N"])
    _, _, about = run(beats, tmp_path / "b", method="none")
    assert set(about["held_out"]["1"]["class_weights"].values()) == {1.0}


def test_the_counts_of_the_folds_are_reported_with_the_protocol(beats, tmp_path):
    run(beats, tmp_path, "intra_patient")
    report = json.loads((tmp_path / "metrics" / "folds.json").read_text())
    assert report["protocol"] == "patient-mixed, SYNTHETIC data"
    assert sum(report["beats"][fold]["S"] for fold in report["beats"]) == 48
    assert sorted(path.name for path in (tmp_path / "metrics").iterdir()) == ["folds.csv", "folds.json"]


def test_a_database_without_folds_is_an_error(beats):
    settings = SETTINGS.model_copy(update={"folds": {"mitdb": [["101"]]}})
    with pytest.raises(ParamsError, match="names no records of database synthetic; add synthetic:"):
        assign_folds(beats, "inter_patient", settings)
