import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from stages.scores.curves import areas, calibration_points, expected_calibration_error, pr_points, roc_points


def drawn(seed, count=300, classes=5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    return truth, rng.dirichlet(np.ones(5), count) * 0.6 + np.eye(5)[truth] * 0.4


def test_areas_are_those_of_scikit_learn():
    truth, probabilities = drawn(0)
    found = areas(truth, probabilities)
    assert found["V"]["roc_auc"] == pytest.approx(roc_auc_score(truth == 2, probabilities[:, 2]))
    assert found["V"]["average_precision"] == pytest.approx(average_precision_score(truth == 2, probabilities[:, 2]))


def test_a_class_without_beats_has_no_curve_and_no_area():
    truth, probabilities = drawn(1, classes=4)
    assert set(roc_points(truth, probabilities)["class"]) == set("NSVF")
    assert set(pr_points(truth, probabilities)["class"]) == set("NSVF")
    assert areas(truth, probabilities)["Q"] == {"roc_auc": None, "average_precision": None}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 50))
def test_curves_are_thinned_monotone_and_keep_their_ends(seed, max_points):
    truth, probabilities = drawn(seed)
    for name, curve in roc_points(truth, probabilities, max_points).groupby("class"):
        assert len(curve) <= max_points, name
        assert curve["false_positive_rate"].is_monotonic_increasing
        assert curve["true_positive_rate"].is_monotonic_increasing
        assert curve[["false_positive_rate", "true_positive_rate"]].iloc[0].tolist() == [0, 0]
        assert curve[["false_positive_rate", "true_positive_rate"]].iloc[-1].tolist() == [1, 1]
        assert np.isfinite(curve["threshold"]).all()
    for _, curve in pr_points(truth, probabilities, max_points).groupby("class"):
        assert len(curve) <= max_points
        assert curve["recall"].is_monotonic_increasing
        assert curve["precision"].between(0, 1).all()
        assert curve["recall"].iloc[-1] == 1


def test_calibration_by_hand():
    # Four beats said with 0.8, three of them right; one said with 0.6, wrong.
    probabilities = np.array([[0.8, 0.2, 0, 0, 0]] * 4 + [[0.6, 0.4, 0, 0, 0]])
    truth = [0, 0, 0, 1, 1]
    table = calibration_points(truth, probabilities)
    assert table["beats"].tolist() == [1, 4]
    assert table["accuracy"].tolist() == [0, 0.75]
    assert expected_calibration_error(truth, probabilities) == pytest.approx((1 * 0.6 + 4 * 0.05) / 5)


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="outside 0 to 1"):
        areas([0], [[2.0, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match="expected"):
        areas([0], [[1.0, 0]])
