import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.scores.plain import confusion, confusion_pairs, majority_baseline, plain_scores, record_table

N, S, V, F, Q = range(5)
TRUTH = [N, N, N, N, N, N, S, S, V, V]
CALLED = [N, N, N, N, N, S, S, N, V, F]

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=100)


def test_scores_by_hand():
    scores = plain_scores(TRUTH, CALLED)
    assert scores["n_test"] == 10
    assert scores["accuracy"] == 0.7
    per_class = scores["per_class"]
    assert per_class["N"] == {
        "se": pytest.approx(5 / 6),
        "ppv": pytest.approx(5 / 6),
        "f1": pytest.approx(5 / 6),
        "support": 6,
    }
    assert per_class["S"] == {"se": 0.5, "ppv": 0.5, "f1": 0.5, "support": 2}
    assert per_class["V"] == {"se": 0.5, "ppv": 1.0, "f1": pytest.approx(2 / 3), "support": 2}
    assert scores["macro_f1_nsvf"] == pytest.approx((5 / 6 + 0.5 + 2 / 3 + 0) / 4)
    assert scores["macro_f1"] == pytest.approx((5 / 6 + 0.5 + 2 / 3 + 0 + 0) / 5)


def test_undefined_ratios_are_none_not_zero():
    per_class = plain_scores(TRUTH, CALLED)["per_class"]
    assert per_class["F"]["se"] is None  # no F beat
    assert per_class["F"]["ppv"] == 0.0  # but one was called F
    assert per_class["Q"] == {"se": None, "ppv": None, "f1": None, "support": 0}


def test_accuracy_is_not_the_mean_of_the_classes_against_the_rest():
    one_vs_rest = np.mean([np.mean((np.array(TRUTH) == c) == (np.array(CALLED) == c)) for c in range(5)])
    assert one_vs_rest == pytest.approx(0.88)
    assert plain_scores(TRUTH, CALLED)["accuracy"] == 0.7


def test_a_class_never_called_costs_macro_f1_but_little_accuracy():
    truth = [N] * 97 + [S, V, F]
    scores = plain_scores(truth, [N] * 100)
    assert scores["accuracy"] == majority_baseline(truth) == 0.97
    assert scores["macro_f1_nsvf"] < 0.25


def test_confusion_has_the_truth_in_its_rows():
    table = confusion(TRUTH, CALLED)
    assert table.loc["N", "S"] == 1
    assert table.loc["S", "N"] == 1
    assert table.loc["V", "F"] == 1
    assert table.to_numpy().sum() == 10
    assert confusion_pairs(TRUTH, CALLED).iloc[9].tolist() == ["V", "F"]


def test_record_table_by_hand():
    table = record_table(["b"] * 4 + ["a"] * 6, TRUTH, CALLED).set_index("record")
    assert table.index.tolist() == ["a", "b"]
    assert table.loc["b", "accuracy"] == 1.0
    assert table.loc["a", "S_se"] == 0.5
    assert table.loc["a", "V_support"] == 2
    assert np.isnan(table.loc["b", "V_se"])


def test_labels_must_be_positions_and_as_many_as_beats():
    with pytest.raises(ValueError, match="holds labels"):
        plain_scores([0, 7], [0, 0])
    with pytest.raises(ValueError, match="2 true labels but 1 predicted"):
        plain_scores([0, 1], [0])
    with pytest.raises(ValueError, match="no test beats"):
        plain_scores([], [])


@given(labels)
def test_accuracy_is_the_diagonal_of_the_confusion(pairs):
    truth, predicted = zip(*pairs, strict=True)
    table = confusion(truth, predicted).to_numpy()
    assert plain_scores(truth, predicted)["accuracy"] == pytest.approx(np.trace(table) / table.sum())


@given(labels, st.randoms())
def test_the_order_of_beats_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    assert plain_scores(*zip(*pairs, strict=True)) == plain_scores(*zip(*shuffled, strict=True))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_a_perfect_prediction(truth):
    scores = plain_scores(truth, truth)
    assert scores["accuracy"] == 1
    assert all(c["f1"] == 1 for c in scores["per_class"].values() if c["support"])
