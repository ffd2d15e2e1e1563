"""The few scores that stand for a classifier."""

import pytest

from stages.scores.headlines import HEADLINES, headlines, rounded

SCORES = {
    "accuracy": 0.98765432,
    "macro_f1_nsvf": 0.7,
    "f1_S": None,
    "f1_V": 0.9,
    "sveb_se_average": float("nan"),
    "veb_se_average": 0.5,
    "veb_se": 0.8,
}


def test_six_scores_stand_for_a_classifier():
    assert tuple(headlines(SCORES)) == HEADLINES
    assert HEADLINES == ("accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se_average", "veb_se_average")


def test_headlines_are_rounded_and_none_where_undefined():
    shown = headlines(SCORES)
    assert shown["accuracy"] == 0.987654
    assert shown["f1_S"] is None
    assert shown["sveb_se_average"] is None


def test_sensitivity_is_that_of_the_average_record_and_not_of_all_beats_pooled():
    assert headlines(SCORES)["veb_se_average"] == 0.5


def test_a_score_that_was_not_computed_is_an_error():
    with pytest.raises(KeyError, match="f1_V"):
        headlines({name: value for name, value in SCORES.items() if name != "f1_V"})


def test_a_number_of_another_kind_becomes_a_plain_one():
    assert rounded(1) == 1.0
    assert rounded(float("nan")) is None
