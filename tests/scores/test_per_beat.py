"""Plain scores, against numbers worked out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from stages.ecg.aami import CLASSES
from stages.scores.per_beat import beat_scores, confusion, confusion_table, majority_baseline, scores_of_records

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def labels(letters):
    return np.array([CLASSES.index(letter) for letter in letters])


#           truth         predicted
EXAMPLE = (labels("NNNNNNSSVF"), labels("NNNNSVSNVN"))


def of_class(scores, name):
    return {score: scores[f"{score}_{name}"] for score in ("se", "ppv", "f1", "support")}


def test_scores_of_a_small_example_are_those_worked_out_by_hand():
    scores = beat_scores(*EXAMPLE)
    assert scores["n_test"] == 10
    assert scores["accuracy"] == pytest.approx(6 / 10)
    assert of_class(scores, "N") == pytest.approx({"se": 4 / 6, "ppv": 4 / 6, "f1": 4 / 6, "support": 6})
    assert of_class(scores, "S") == pytest.approx({"se": 1 / 2, "ppv": 1 / 2, "f1": 1 / 2, "support": 2})
    assert of_class(scores, "V") == pytest.approx({"se": 1, "ppv": 1 / 2, "f1": 2 / 3, "support": 1})
    assert of_class(scores, "F") == {"se": 0.0, "ppv": None, "f1": 0.0, "support": 1}
    assert of_class(scores, "Q") == {"se": None, "ppv": None, "f1": None, "support": 0}
    assert scores["macro_f1_nsvf"] == pytest.approx((4 / 6 + 1 / 2 + 2 / 3 + 0) / 4)
    assert scores["macro_f1"] == pytest.approx((4 / 6 + 1 / 2 + 2 / 3 + 0 + 0) / 5)


def test_accuracy_is_not_the_mean_one_vs_rest_accuracy():
    truth, predicted = EXAMPLE
    one_vs_rest = np.mean([np.mean((truth == c) == (predicted == c)) for c in range(len(CLASSES))])
    assert one_vs_rest == pytest.approx(0.84)
    assert beat_scores(truth, predicted)["accuracy"] == pytest.approx(0.6)


def test_a_class_that_is_predicted_but_absent_has_f1_zero_and_no_sensitivity():
    assert of_class(beat_scores(labels("NN"), labels("NQ")), "Q") == {
        "se": None,
        "ppv": 0.0,
        "f1": 0.0,
        "support": 0,
    }


def test_a_class_never_called_costs_macro_f1_but_little_accuracy():
    truth = labels("N" * 97 + "SVF")
    scores = beat_scores(truth, labels("N" * 100))
    assert scores["accuracy"] == majority_baseline(truth) == 0.97
    assert scores["macro_f1_nsvf"] < 0.25


def test_scores_are_plain_json():
    scores = beat_scores(*EXAMPLE)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_a_q_beat_taken_for_n_costs_the_macro_f1_over_four_classes():
    truth, predicted = labels("NSVFQ"), labels("NSVFN")
    assert beat_scores(truth, predicted)["macro_f1_nsvf"] == pytest.approx((2 / 3 + 1 + 1 + 1) / 4)


def test_confusion_has_true_classes_in_rows_and_class_order():
    table = confusion(labels("NSSF"), labels("NVVN"))
    assert list(table.index) == list(table.columns) == list(CLASSES)
    assert table.loc["S", "V"] == 2
    assert table.loc["V", "S"] == 0
    assert table.loc["F", "N"] == 1
    assert table.index.name == "actual"


def test_the_table_of_a_confusion_has_every_pair_in_class_order():
    table = confusion_table(labels("NSVV"), labels("NVVV"))
    assert list(zip(table["actual"], table["predicted"], strict=True)) == [(a, b) for a in "NSVFQ" for b in "NSVFQ"]
    there = table[table["beats"] > 0]
    assert there.to_dict("list") == {"actual": ["N", "S", "V"], "predicted": ["N", "V", "V"], "beats": [1, 1, 2]}


def test_majority_baseline_of_ds2_is_its_share_of_normal_beats():
    ds2 = np.repeat(np.arange(5), (44259, 1837, 3221, 388, 7))
    assert majority_baseline(ds2) == pytest.approx(44259 / 49712)
    assert round(majority_baseline(ds2), 3) == 0.890


def test_scores_of_records_scores_each_record_by_itself_in_order_of_name():
    records = np.array(["201", "100", "201", "100", "100"])
    table = scores_of_records(records, labels("SNVSN"), labels("SNNNN"))
    assert list(table["record"]) == ["100", "201"]
    assert list(table["beats"]) == [3, 2]
    assert list(table["accuracy"]) == pytest.approx([2 / 3, 1 / 2])
    assert list(table["S_support"]) == [1, 1]
    assert list(table["S_se"]) == [0.0, 1.0]
    assert np.isnan(table["S_ppv"][0])
    assert table["S_ppv"][1] == 1.0
    assert np.isnan(table["V_se"][0])
    assert table["V_se"][1] == 0.0
    assert table["F_f1"].isna().all()


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([0, 1], [0], "2 true labels but 1 predicted"),
        ([0, 5], [0, 1], r"truth holds labels \[5\]"),
        ([0, 1], [0, -1], r"predicted holds labels \[-1\]"),
        ([[0, 1]], [[0, 1]], "expected one label a beat"),
        ([], [], "no test beats"),
    ],
)
def test_wrong_labels_are_refused(truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        beat_scores(np.array(truth), np.array(predicted))


def test_a_record_name_is_needed_for_each_beat():
    with pytest.raises(ValueError, match="one record name a beat"):
        scores_of_records(np.array(["100"]), labels("NN"), labels("NN"))


@given(pairs)
def test_accuracy_is_the_diagonal_of_the_confusion(beats):
    truth, predicted = np.array(beats).T
    table = confusion(truth, predicted).to_numpy()
    assert table.sum() == len(beats)
    assert beat_scores(truth, predicted)["accuracy"] == pytest.approx(np.trace(table) / table.sum())


@given(pairs)
def test_macro_f1_agrees_with_scikit_learn(beats):
    truth, predicted = np.array(beats).T
    scores = beat_scores(truth, predicted)
    for name, classes in (("macro_f1", range(5)), ("macro_f1_nsvf", range(4))):
        expected = f1_score(truth, predicted, labels=classes, average="macro", zero_division=0)
        assert scores[name] == pytest.approx(expected)


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_beats_does_not_matter(beats, random):
    shuffled = random.sample(beats, len(beats))
    assert beat_scores(*np.array(beats).T) == beat_scores(*np.array(shuffled).T)


@given(st.lists(st.integers(0, 4), min_size=1))
def test_a_perfect_prediction_scores_one_wherever_a_score_is_defined(truth):
    scores = beat_scores(np.array(truth), np.array(truth))
    assert scores["accuracy"] == 1.0
    assert scores["macro_f1"] == pytest.approx(len(set(truth)) / 5)
    for name in CLASSES:
        values = of_class(scores, name)
        assert {values["se"], values["ppv"], values["f1"]} == ({1.0} if values["support"] else {None})
