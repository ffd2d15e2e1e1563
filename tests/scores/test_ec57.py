"""Upper case is the true class, lower case the predicted one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ecg.aami import CLASSES
from stages.scores.ec57 import ec57_scores, ec57_table, show


def score(pairs, times=None, records=None, start_s=300.0):
    """Score beats written as pairs, "Nv Ss …"."""
    pairs = pairs.split()
    truth = [CLASSES.index(pair[0]) for pair in pairs]
    called = [CLASSES.index(pair[1].upper()) for pair in pairs]
    times = [400.0] * len(pairs) if times is None else times
    records = ["100"] * len(pairs) if records is None else records
    return ec57_scores(truth, called, times, records, start_s)


def counts(pairs, kind):
    gross = score(pairs)["gross"][kind]
    return gross["tp"], gross["fn"], gross["fp"]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        *[("Vv", (1, 0, 0)), ("Vn", (0, 1, 0)), ("Vs", (0, 1, 0)), ("Vf", (0, 1, 0)), ("Vq", (0, 1, 0))],
        *[("Nv", (0, 0, 1)), ("Sv", (0, 0, 1)), ("Fv", (0, 0, 0)), ("Qv", (0, 0, 0)), ("Nn", (0, 0, 0))],
    ],
)
def test_each_pair_counts_for_veb_as_the_standard_says(pair, expected):
    assert counts(pair, "veb") == expected


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        *[("Ss", (1, 0, 0)), ("Sn", (0, 1, 0)), ("Sv", (0, 1, 0)), ("Sf", (0, 1, 0)), ("Sq", (0, 1, 0))],
        *[("Ns", (0, 0, 1)), ("Vs", (0, 0, 1)), ("Fs", (0, 0, 1)), ("Qs", (0, 0, 0)), ("Nn", (0, 0, 0))],
    ],
)
def test_each_pair_counts_for_sveb_as_the_standard_says(pair, expected):
    assert counts(pair, "sveb") == expected


def test_ratios_by_hand():
    found = score("Vv Vv Vv Vn Nv Fv Nn Nn Nn Nn Ss Sn")["gross"]
    assert found["veb"]["se"] == 0.75
    assert found["veb"]["ppv"] == 0.75
    assert found["veb"]["fpr"] == pytest.approx(1 / 7)  # TN: four Nn, Ss, Sn
    assert found["sveb"]["se"] == 0.5
    assert found["sveb"]["ppv"] == 1.0


def test_scoring_begins_at_five_minutes():
    found = score("Vv Vn Vn", times=[300.0, 299.99, 0.0])
    assert found["n_scored"] == 1
    assert found["gross"]["veb"]["se"] == 1.0
    assert score("Vv Vn Vn", times=[300.0, 299.99, 0.0], start_s=0)["n_scored"] == 3


def test_gross_pools_beats_and_average_weighs_records_alike():
    found = score("Vv Vv Vv Vv Vn Vn", records=["1"] * 4 + ["2"] * 2)
    assert found["gross"]["veb"]["se"] == pytest.approx(4 / 6)
    assert found["average"]["veb"]["se"] == 0.5


def test_records_in_which_a_ratio_is_undefined_are_not_averaged():
    found = score("Vv Nn Nn", records=["1", "2", "3"])
    assert found["average"]["veb"]["se"] == 1.0
    assert found["average"]["sveb"]["se"] is None


def test_undefined_ratios_are_none_and_shown_as_a_dash():
    found = score("Nn")["gross"]
    assert found["veb"]["se"] is None
    assert show(found["veb"]["se"]) == show(float("nan")) == "-"
    assert show(0.97531) == "97.53"


def test_table_has_a_row_a_record_even_without_scored_beats():
    table = ec57_table([2, 2], [2, 2], [400.0, 10.0], ["b", "a"])
    assert table["record"].tolist() == ["a", "b"]
    assert table["beats"].tolist() == [0, 1]
    assert table["veb_tp"].tolist() == [0, 1]


beats = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=60)


@given(beats, st.randoms())
def test_the_order_of_beats_does_not_matter(drawn, random):
    def scored(rows):
        truth, called, records = zip(*rows, strict=True)
        return ec57_scores(truth, called, np.full(len(rows), 400.0), records)

    assert scored(drawn) == scored(random.sample(drawn, len(drawn)))


@given(beats)
def test_each_beat_counts_once_at_the_most(drawn):
    truth, called, records = zip(*drawn, strict=True)
    gross = ec57_scores(truth, called, np.full(len(drawn), 400.0), records)["gross"]
    for kind, own in (("veb", 2), ("sveb", 1)):
        assert gross[kind]["tp"] + gross[kind]["fn"] == truth.count(own)
        assert sum(gross[kind][name] for name in ("tp", "fn", "fp", "tn")) <= len(drawn)
