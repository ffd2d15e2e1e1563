"""ROC and precision-recall curves, their areas, and calibration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from stages.ecg.aami import CLASSES
from stages.scores.curves import areas, calibration_points, expected_calibration_error, pr_points, roc_points


def softmax_beats(seed, beats=300):
    rng = np.random.default_rng(seed)
    truth = rng.choice(5, beats, p=[0.6, 0.2, 0.15, 0.05, 0.0])
    logits = rng.normal(size=(beats, 5)) + 1.5 * np.eye(5)[truth]
    weights = np.exp(logits)
    return truth, (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def v_against_n(scores, truth):
    """Probabilities that leave only N and V in question: ``scores`` are those of V."""
    probabilities = np.zeros((len(scores), 5))
    probabilities[:, 2] = scores
    probabilities[:, 0] = 1 - probabilities[:, 2]
    return np.array([CLASSES.index(letter) for letter in truth]), probabilities


# Sorted by the probability of V: V (0.9), N (0.8), V (0.7), N (0.1).
FOUR = v_against_n([0.9, 0.8, 0.7, 0.1], "VNVN")


def test_roc_of_four_beats_is_the_one_drawn_by_hand():
    points = roc_points(*FOUR)
    curve = points[points["class"] == "V"]
    assert curve["false_positive_rate"].tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve["true_positive_rate"].tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve["threshold"].tolist() == [1, 0.9, 0.8, 0.7, 0.1]


def test_pr_of_four_beats_is_the_one_drawn_by_hand():
    points = pr_points(*FOUR)
    curve = points[points["class"] == "V"]
    assert curve["recall"].tolist()[:4] == [0, 0.5, 0.5, 1]
    assert curve["precision"].tolist()[:4] == pytest.approx([1, 1, 0.5, 2 / 3], abs=1e-6)
    assert curve["threshold"].tolist()[:4] == [1, 0.9, 0.8, 0.7]


def test_areas_of_four_beats_are_those_worked_out_by_hand():
    # Three of the four pairs (V, N) are in order; average precision is 0.5 * 1 + 0.5 * 2/3.
    of_v = areas(*FOUR)["V"]
    assert of_v["roc_auc"] == pytest.approx(3 / 4)
    assert of_v["average_precision"] == pytest.approx(0.5 + 1 / 3)


def test_areas_are_those_of_scikit_learn():
    truth, probabilities = softmax_beats(seed=0)
    of_v, is_v, called_v = areas(truth, probabilities)["V"], truth == 2, probabilities[:, 2]
    assert of_v["roc_auc"] == pytest.approx(roc_auc_score(is_v, called_v))
    assert of_v["average_precision"] == pytest.approx(average_precision_score(is_v, called_v))


def test_classes_without_beats_have_no_curve_and_null_areas():
    truth, probabilities = FOUR
    assert set(roc_points(truth, probabilities)["class"]) == {"N", "V"}
    assert set(pr_points(truth, probabilities)["class"]) == {"N", "V"}
    assert areas(truth, probabilities)["Q"] == {"roc_auc": None, "average_precision": None}


def test_a_test_set_of_one_class_has_no_roc_at_all():
    truth, probabilities = v_against_n([0.2, 0.6], "VV")
    assert roc_points(truth, probabilities).empty
    assert list(roc_points(truth, probabilities).columns) == [
        "class",
        "false_positive_rate",
        "true_positive_rate",
        "threshold",
    ]
    assert areas(truth, probabilities)["V"] == {"roc_auc": None, "average_precision": 1.0}


def test_thinning_keeps_both_ends_and_the_area():
    truth, probabilities = softmax_beats(seed=1, beats=5000)
    full, thin = roc_points(truth, probabilities, max_points=100_000), roc_points(truth, probabilities, max_points=60)
    for name, exact in areas(truth, probabilities).items():
        if exact["roc_auc"] is None:
            continue
        whole, few = (table[table["class"] == name] for table in (full, thin))
        assert len(few) <= 60
        assert (few.iloc[[0, -1]].to_numpy() == whole.iloc[[0, -1]].to_numpy()).all()
        assert auc(whole["false_positive_rate"], whole["true_positive_rate"]) == pytest.approx(
            exact["roc_auc"], abs=1e-5
        )
        assert auc(few["false_positive_rate"], few["true_positive_rate"]) == pytest.approx(exact["roc_auc"], abs=0.01)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 50))
def test_curves_are_monotone_bounded_finite_and_short(seed, max_points):
    truth, probabilities = softmax_beats(seed)
    for table, rising in (
        (roc_points(truth, probabilities, max_points), ["false_positive_rate", "true_positive_rate"]),
        (pr_points(truth, probabilities, max_points), ["recall"]),
    ):
        numbers = table.drop(columns="class").to_numpy(dtype=float)
        assert np.isfinite(numbers).all()
        assert ((numbers >= 0) & (numbers <= 1)).all()
        for _, curve in table.groupby("class"):
            assert len(curve) <= max_points
            assert curve[rising].iloc[0].tolist() == [0] * len(rising)
            assert curve[rising].iloc[-1].tolist() == [1] * len(rising)
            assert all(curve[column].is_monotonic_increasing for column in rising)
            assert curve["threshold"].is_monotonic_decreasing


def test_calibration_of_six_beats_is_the_one_worked_out_by_hand():
    # Confidences 0.55, 0.58 (one right), 0.92, 0.94, 0.96, 1.0 (three right).
    truth, probabilities = v_against_n([0.55, 0.58, 0.92, 0.94, 0.96, 1.0], "VNVVVN")
    table = calibration_points(truth, probabilities)
    assert table["beats"].tolist() == [2, 4]
    assert table["confidence"].tolist() == pytest.approx([0.565, 0.955])
    assert table["accuracy"].tolist() == [0.5, 0.75]
    assert expected_calibration_error(truth, probabilities) == pytest.approx((2 * 0.065 + 4 * 0.205) / 6)


def test_a_bin_is_closed_above():
    truth, probabilities = v_against_n([0.75, 0.76], "VV")
    assert calibration_points(truth, probabilities, bins=4)["beats"].tolist() == [1, 1]


@given(st.integers(0, 1000), st.integers(1, 30))
@settings(max_examples=25)
def test_every_beat_falls_in_one_bin_and_the_error_is_a_fraction(seed, bins):
    truth, probabilities = softmax_beats(seed)
    assert calibration_points(truth, probabilities, bins)["beats"].sum() == len(truth)
    assert 0 <= expected_calibration_error(truth, probabilities, bins) <= 1


def test_certain_and_right_is_perfectly_calibrated():
    truth = np.arange(5)
    assert expected_calibration_error(truth, np.eye(5)) == 0.0
    assert all(area == {"roc_auc": 1.0, "average_precision": 1.0} for area in areas(truth, np.eye(5)).values())


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.full((2, 4), 0.25), "has shape"),
        (np.zeros((0, 5)), "has shape"),
        (np.full((2, 5), np.nan), "outside 0 to 1 or NaN"),
        (np.full((2, 5), 1.5), "outside 0 to 1 or NaN"),
        (np.full((3, 5), 0.2), "2 true labels but 3"),
    ],
)
def test_what_is_no_table_of_probabilities_is_refused(probabilities, message):
    with pytest.raises(ValueError, match=message):
        roc_points(np.array([0, 1]), probabilities)


def test_a_curve_needs_two_points_and_a_histogram_one_bin():
    with pytest.raises(ValueError, match="max_points is 1"):
        roc_points(*FOUR, max_points=1)
    with pytest.raises(ValueError, match="bins is 0"):
        calibration_points(*FOUR, bins=0)
