import json

import numpy as np
import pandas as pd
import pytest

from stages.balance import assign_folds, balance
from stages.ecg.beatset import About, BeatSet, read_beats
from stages.ecg.databases import SYNTHETIC
from stages.ecg.rhythm import RR_FEATURES
from stages.params import ParamsError, load_params

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
            **{name: rng.normal(size=count) for name in RR_FEATURES},
        }
    )
    # The first sample of each window numbers the beat, so that a beat can be followed into its fold.
    signals = np.zeros((count, *beat_format.shape), dtype=np.float32)
    signals[:, 0, 0] = np.arange(count)
    return BeatSet(signals, table, About("synthetic", "1.0.0", True, beat_format))


def run(beats, tmp_path, protocol="inter_patient", **changes):
    settings = SETTINGS.model_copy(update=changes)
    balance(beats, protocol, settings, tmp_path / "balanced", tmp_path / "metrics")
    folds = {fold: read_beats(tmp_path / "balanced" / fold) for fold in ("train", "val", "test")}
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
def test_balancing_leaves_validation_and_test_as_they_are(beats, tmp_path, method):
    plain, _, _ = run(beats, tmp_path / "plain", method="none")
    balanced, draws, _ = run(beats, tmp_path / "balanced", method=method, ratio=0.5)
    for fold in ("val", "test"):
        np.testing.assert_array_equal(plain[fold].signals, balanced[fold].signals)
        assert plain[fold].table.equals(balanced[fold].table)
    assert draws["beat"].max() < len(balanced["train"].signals)
    assert draws["partner"].max() < len(balanced["train"].signals)


def test_draws_cost_no_signals(beats, tmp_path):
    folds, draws, _ = run(beats, tmp_path, method="oversample", ratio=1.0)
    assert len(draws) > len(folds["train"].signals)
    assert len(folds["train"].signals) == (beats.table["record"].isin([f"s{n:02d}" for n in (1, 2, 4, 5, 6, 7)])).sum()


def test_the_scaler_is_learned_from_the_training_fold_alone(beats, tmp_path):
    _, _, before = run(beats, tmp_path / "a")
    strangers = ~beats.table["record"].isin(SYNTHETIC.ds1) | beats.table["record"].isin(
        SETTINGS.validation["synthetic"]
    )
    for name in RR_FEATURES:
        beats.table.loc[strangers, name] = 1e6
    _, _, after = run(beats, tmp_path / "b")
    assert before["rhythm"] == after["rhythm"]


def test_unreadable_beats_are_not_learned_from_but_stay_in_their_fold(beats, tmp_path):
    beats.table.loc[:2, "flat"] = True
    folds, draws, about = run(beats, tmp_path)
    assert about["left_out"] == 3
    assert not set(draws["beat"]) & {0, 1, 2}
    assert len(folds["train"].table) == 240


def test_only_class_weighting_weighs(beats, tmp_path):
    _, _, about = run(beats, tmp_path / "a", method="class_weight", ratio=0.01)
    assert about["class_weights"]["F"] == pytest.approx(14 * about["class_weights"]["N"])
    _, _, about = run(beats, tmp_path / "b", method="none")
    assert set(about["class_weights"].values()) == {1.0}


def test_the_counts_of_the_folds_are_reported_with_the_protocol(beats, tmp_path):
    run(beats, tmp_path, "intra_patient")
    report = json.loads((tmp_path / "metrics" / "folds.json").read_text())
    assert report["protocol"] == "patient-mixed, SYNTHETIC data"
    assert sum(report["beats"][fold]["S"] for fold in report["beats"]) == 48
    assert (tmp_path / "metrics" / "folds.png").stat().st_size > 1000


def test_a_database_without_validation_records_is_an_error(beats):
    settings = SETTINGS.model_copy(update={"validation": {"mitdb": ["101"]}})
    with pytest.raises(ParamsError, match="names no records of database synthetic; add synthetic:"):
        assign_folds(beats, "inter_patient", settings)
