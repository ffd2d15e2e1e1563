from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About, BeatSet
from stages.evaluate import beat_scores, mean_beats, mistakes, predictions, require_same_beats, write_tables
from stages.nets.classifying import Classifier, ModelFileError


def classifier(about):
    return Classifier(None, {"trained_on": asdict(about), "rhythm_features": list(FEATURES)})


@pytest.fixture
def beats(beat_format):
    table = pd.DataFrame(
        {
            "record": ["100", "100", "232", "232"],
            "lead": "MLII",
            "subject": ["100", "100", "232", "232"],
            "sample": [1, 2, 3, 4],
            "time_s": [10.0, 400.0, 500.0, 600.0],
            "aami": list("NVSN"),
        }
    )
    return BeatSet(np.zeros((4, *beat_format.shape), np.float32), table, About("mitdb", "1.0.0", False, beat_format))


def test_beats_cut_alike_are_taken(beats):
    require_same_beats(classifier(beats.about), beats)


def test_beats_cut_in_another_way_are_refused(beats):
    other = replace(beats.about, fmt=replace(beats.about.fmt, fs_hz=250))
    with pytest.raises(ModelFileError, match="fs_hz=250"):
        require_same_beats(classifier(other), beats)


def test_scores_of_four_beats_by_hand(beats):
    probabilities = np.eye(5)[[0, 2, 0, 1]]  # N right, V right, S called N, N called S
    scores = beat_scores(beats.labels, probabilities)
    assert scores["accuracy"] == 0.5
    assert scores["baseline_accuracy"] == 0.5
    assert scores["n_test"] == 4
    assert scores["f1_V"] == scores["roc_auc_V"] == 1.0
    assert scores["macro_f1_nsvf"] == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert scores["expected_calibration_error"] == 0.5


def test_the_most_confidently_wrong_come_first_and_no_record_has_more_than_two(beats):
    table = pd.concat([beats.table] * 2, ignore_index=True).assign(record="232", time_s=10.0 * np.arange(8))
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.95, 0.5, 0.4, 0.3])
    probabilities = np.zeros((8, 5))
    probabilities[:, 4] = confidence  # all called Q
    worst = mistakes(table, np.tile(beats.labels, 2), probabilities)
    assert worst["confidence"].tolist() == [0.95, 0.9]
    assert worst["true"].tolist() == ["N", "N"]
    assert set(worst["predicted"]) == {"Q"}
    assert mistakes(beats.table, beats.labels, np.eye(5)[beats.labels]).empty


def test_mistakes_of_a_record_that_are_shown_are_five_seconds_apart(beats):
    table = beats.table.assign(record="202", time_s=[1553.5, 1554.0, 1558.4, 1558.5])
    probabilities = np.zeros((4, 5))
    probabilities[:, 4] = [0.9, 0.8, 0.7, 0.6]
    assert mistakes(table, beats.labels, probabilities)["time_s"].tolist() == [1553.5, 1558.5]


def test_the_beats_of_each_pair_of_classes_are_averaged(beats):
    signals = beats.signals.copy()
    signals[:, :2, 0] = [[1.0, 3.0], [7.0, 7.0], [2.0, 2.0], [3.0, 5.0]]
    table = mean_beats(replace(beats, signals=signals), np.array([1, 2, 1, 1]))  # N V S N called S V S S
    pairs = table.groupby(["actual", "predicted"])
    assert pairs["beats"].first().to_dict() == {("N", "S"): 2, ("S", "S"): 1, ("V", "V"): 1}
    assert pairs.get_group(("N", "S"))["mean"].tolist()[:2] == [2.0, 4.0]
    assert pairs.get_group(("V", "V"))["mean"].tolist()[:2] == [7.0, 7.0]
    assert pairs.get_group(("V", "V"))["time_s"].tolist() == beats.about.fmt.times_s.tolist()


def test_the_tables_of_a_network_are_numbers_alone(beats, tmp_path):
    write_tables(tmp_path, beats, np.eye(5)[[0, 2, 0, 1]])
    names = ["confusion", "mistakes", "pr", "records", "reliability", "roc"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.csv" for name in names]
    confusion = pd.read_csv(tmp_path / "confusion.csv")
    assert len(confusion) == 25
    assert confusion["beats"].sum() == 4


def test_predictions_stay_with_their_beats_in_their_order(beats):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), 4).astype(np.float32)
    table = predictions(beats, probabilities)
    assert table["sample"].tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(table[["p_N", "p_S", "p_V", "p_F", "p_Q"]].to_numpy(), probabilities)
