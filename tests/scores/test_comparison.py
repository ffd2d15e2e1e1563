import numpy as np
import pandas as pd
import pytest

from stages.ecg.aami import CLASSES
from stages.scores import comparison

TRUTH = np.array([0, 0, 2, 1])
RECORDS = np.array(["100", "100", "101", "101"])
RIGHT = np.eye(5)[TRUTH]
ALL_N = np.eye(5)[[0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (None, "not known"),
        (23, "0 to 49"),
        (49, "0 to 49"),
        (50, "50 to 64"),
        (64, "50 to 64"),
        (65, "65 to 74"),
        (75, "75 and over"),
        (89, "75 and over"),
    ],
)
def test_ages_fall_into_bands(age, band):
    assert comparison.age_band(age) == band


def test_each_group_of_patients_is_scored_by_itself():
    groups = pd.DataFrame({"record": ["100", "101"], "sex": ["F", "M"]})
    table = comparison.subgroup_table(TRUTH, RECORDS, {"cnn": ALL_N}, groups).set_index("group")
    assert table.loc["F", "accuracy"] == 1
    assert table.loc["M", "accuracy"] == 0
    assert table.loc["M", "f1_V"] == 0
    assert table.loc["M", "beats_V"] == 1
    assert np.isnan(table.loc["F", "f1_V"])  # no such beat, so nothing to score


def test_scores_without_a_record_are_those_of_the_others():
    scores = comparison.without_records(TRUTH, ALL_N.argmax(axis=1), RECORDS, ["101", "999"])
    assert set(scores) == {f"{score}_without_101" for score in comparison.WITHOUT}
    assert scores["accuracy_without_101"] == 1
    assert scores["f1_V_without_101"] is None


def test_differences_are_from_the_first():
    scored = {"cnn": {"accuracy": 0.5}, "rnn": {"accuracy": 0.75}}
    table = comparison.differences(scored, ["accuracy"])
    assert table.to_dict("records") == [{"models": "rnn - cnn", "accuracy": 0.25}]


def test_every_score_and_difference_has_an_interval():
    table = comparison.interval_table(TRUTH, RECORDS, {"cnn": ALL_N, "rnn": RIGHT}, 100, 0)
    assert set(table["model"]) == {"cnn", "rnn", "rnn - cnn"}
    cnn = table[(table["model"] == "cnn") & (table["score"] == "accuracy")].iloc[0]
    assert (cnn["low"], cnn["value"], cnn["high"]) == (0, 0.5, 1)  # one record all right, the other all wrong
    difference = table[(table["model"] == "rnn - cnn") & (table["score"] == "accuracy")].iloc[0]
    assert difference["value"] == 0.5


def test_the_names_of_the_bands_sort_by_age():
    bands = [comparison.age_band(age) for age in (20, 50, 65, 75, None)]
    assert bands == sorted(bands)


EC57 = pd.DataFrame({"record": ["100", "232"], "veb_tp": [8, 2], "veb_fn": [2, 8], "veb_fp": [0, 0]}).assign(
    veb_tn=[90, 90], sveb_tp=[0, 0], sveb_fn=[0, 5], sveb_fp=[0, 0], sveb_tn=[100, 95]
)


def test_pooled_ratios_of_ec57_have_intervals_too():
    intervals = comparison.ec57_intervals({"cnn": EC57}, 200, 0).set_index("score")
    assert tuple(intervals.loc["veb_se", ["low", "value", "high", "defined"]]) == (0.2, 0.5, 0.8, 1)
    assert tuple(intervals.loc["veb_ppv", ["low", "value", "high"]]) == (1, 1, 1)
    assert tuple(intervals.loc["veb_fpr", ["low", "value", "high"]]) == (0, 0, 0)
    assert np.isnan(intervals.loc["sveb_ppv", "value"])
    assert intervals.loc["sveb_ppv", "defined"] == 0
    # Only in the resamples with record 232, three quarters of them, is there an S beat to be found.
    assert intervals.loc["sveb_se", "value"] == 0
    assert intervals.loc["sveb_se", "defined"] == pytest.approx(0.75, abs=0.1)


def test_differences_of_ec57_figures_are_paired():
    better = EC57.assign(veb_tp=[9, 3], veb_fn=[1, 7])
    intervals = comparison.ec57_intervals({"cnn": EC57, "rnn": better}, 200, 0).set_index(["model", "score"])
    assert tuple(intervals.loc[("rnn - cnn", "veb_se"), ["low", "value", "high"]]) == pytest.approx((0.1, 0.1, 0.1))
    assert np.isnan(intervals.loc[("rnn - cnn", "sveb_ppv"), "value"])


def test_ec57_without_a_record_is_that_of_the_others():
    ratios = comparison.ec57_without(EC57, ["232", "999"])
    expected = {"veb_se": 0.8, "veb_ppv": 1, "sveb_se": None, "sveb_ppv": None}
    assert ratios == {f"{name}_without_232": value for name, value in expected.items()}


def test_who_errs_where_is_tested():
    tests = comparison.mcnemar_tests(TRUTH, {"cnn": ALL_N, "rnn": RIGHT})
    assert tests.to_dict("records") == [
        {"first": "rnn", "second": "cnn", "only_first_right": 2, "only_second_right": 0, "p_value": 0.5}
    ]


def test_per_class_scores_stand_one_a_row():
    values = {
        f"{score}_{name}": value for name in CLASSES for score, value in (("se", 0.5), ("ppv", None), ("f1", 0.25))
    }
    table = comparison.per_class_table({"cnn": values})
    assert len(table) == 15
    assert table["value"].isna().sum() == 5
