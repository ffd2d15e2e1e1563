"""The rules of ANSI/AAMI EC57 beat-by-beat scoring, one by one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ecg.aami import CLASSES
from stages.scores.ec57 import ec57_scores, ec57_table, show

LATER = 400.0


def score(*pairs, kind):
    """Counts of pairs written as bxb writes them: upper case true, lower case predicted."""
    truth = [CLASSES.index(pair[0]) for pair in pairs]
    predicted = [CLASSES.index(pair[1].upper()) for pair in pairs]
    gross = ec57_scores(truth, predicted, [LATER] * len(pairs), ["100"] * len(pairs))["gross"][kind]
    return {name: gross[name] for name in ("tp", "fn", "fp", "tn")}


# The formulas of VTP, VFN, VFP, VTN and STP, SFN, SFP in bxb.c, written out.
RULES = {
    "veb": {
        "tp": "Vv",
        "fn": "Vn Vs Vf Vq",
        "fp": "Nv Sv",
        "tn": "Nn Ns Nf Nq Sn Ss Sf Sq Fn Fs Ff Fq Qn Qs Qf Qq",
        None: "Fv Qv",
    },
    "sveb": {
        "tp": "Ss",
        "fn": "Sn Sv Sf Sq",
        "fp": "Ns Vs Fs",
        "tn": "Nn Nv Nf Nq Vn Vv Vf Vq Fn Fv Ff Fq Qn Qv Qf Qq",
        None: "Qs",
    },
}
CASES = [(kind, pair, as_) for kind, rules in RULES.items() for as_, listed in rules.items() for pair in listed.split()]


@pytest.mark.parametrize(("kind", "pair", "as_"), CASES)
def test_each_pair_counts_as_bxb_counts_it(kind, pair, as_):
    expected = dict.fromkeys(("tp", "fn", "fp", "tn"), 0) | ({as_: 1} if as_ else {})
    assert score(pair, kind=kind) == expected


@pytest.mark.parametrize("kind", ["veb", "sveb"])
def test_the_rules_cover_all_twenty_five_pairs(kind):
    listed = " ".join(RULES[kind].values()).split()
    assert sorted(listed) == sorted(true + called.lower() for true in CLASSES for called in CLASSES)


def beats(*rows):
    """Arrays truth, predicted, times_s, records from rows (record, seconds, pair, how many)."""
    expanded = [row[:3] for row in rows for _ in range(row[3])]
    records, times, names = zip(*expanded, strict=True)
    truth = np.array([CLASSES.index(pair[0]) for pair in names])
    predicted = np.array([CLASSES.index(pair[1].upper()) for pair in names])
    return truth, predicted, np.array(times), np.array(records)


# Record 100: VEB Se 3/4, +P 3/5, FPR 2/12; no SVEB. Record 200: VEB Se 1/1, +P 1/1, FPR 0/4; SVEB Se 2/3, +P 2/2.
TWO_RECORDS = beats(
    ("200", 500.0, "Vv", 1),
    ("200", 500.0, "Ss", 2),
    ("200", 500.0, "Sn", 1),
    ("200", 500.0, "Nn", 1),
    ("100", 300.0, "Nn", 10),
    ("100", 301.0, "Nv", 2),
    ("100", 302.0, "Vv", 3),
    ("100", 303.0, "Vn", 1),
    ("100", 299.99, "Vn", 50),
    ("100", 303.0, "Fv", 7),
)


def test_gross_pools_the_beats_of_all_records():
    scores = ec57_scores(*TWO_RECORDS)
    veb, sveb = scores["gross"]["veb"], scores["gross"]["sveb"]
    assert veb == pytest.approx(
        {"tp": 4, "fn": 1, "fp": 2, "tn": 14, "se": 4 / 5, "ppv": 4 / 6, "fpr": 2 / 16}, rel=1e-12
    )
    assert sveb == pytest.approx(
        {"tp": 2, "fn": 1, "fp": 0, "tn": 23 + 2, "se": 2 / 3, "ppv": 1.0, "fpr": 0.0}, rel=1e-12
    )


def test_average_is_the_mean_of_the_records_in_which_a_ratio_is_defined():
    average = ec57_scores(*TWO_RECORDS)["average"]
    assert average["veb"] == pytest.approx({"se": (3 / 4 + 1) / 2, "ppv": (3 / 5 + 1) / 2, "fpr": (2 / 12 + 0) / 2})
    assert average["sveb"] == pytest.approx({"se": 2 / 3, "ppv": 1.0, "fpr": 0.0})


def test_scoring_starts_at_five_minutes_with_a_beat_at_exactly_that_time():
    scores = ec57_scores(*TWO_RECORDS)
    assert scores["start_s"] == 300.0
    assert scores["n_scored"] == 28
    assert ec57_scores(*TWO_RECORDS, start_s=0.0)["n_scored"] == 78
    assert ec57_scores(*TWO_RECORDS, start_s=300.001)["n_scored"] == 18


def test_undefined_ratios_are_null_and_print_as_a_dash():
    scores = ec57_scores([0, 0], [0, 0], [LATER, LATER], ["100", "100"])
    assert scores["gross"]["veb"] == {"se": None, "ppv": None, "fpr": 0.0, "tp": 0, "fn": 0, "fp": 0, "tn": 2}
    assert scores["average"]["sveb"] == {"se": None, "ppv": None, "fpr": 0.0}
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    assert show(None) == show(float("nan")) == "-"
    assert show(0.91236) == "91.24"
    assert show(0.0123456, digits=3) == "1.235"


def test_a_record_that_ends_before_scoring_starts_is_shown_with_nothing_scored():
    truth, predicted, times, records = TWO_RECORDS
    table = ec57_table(
        np.append(truth, 2), np.append(predicted, 0), np.append(times, 10.0), np.append(records, "105")
    ).set_index("record")
    assert list(table.index) == ["100", "105", "200"]
    assert table.loc["105", "beats"] == 0
    assert table.loc["105", "veb_fn"] == 0
    assert np.isnan(table.loc["105", "veb_fpr"])


def test_table_holds_the_counts_and_ratios_of_each_record():
    first = ec57_table(*TWO_RECORDS).iloc[0]
    assert first["beats"] == 23
    assert (first["veb_tp"], first["veb_fn"], first["veb_fp"], first["veb_tn"]) == (3, 1, 2, 10)
    assert first["veb_se"] == pytest.approx(0.75)
    assert np.isnan(first["sveb_se"])


def test_one_time_and_one_record_a_beat_are_needed():
    with pytest.raises(ValueError, match="times_s has shape"):
        ec57_scores([0, 1], [0, 1], [LATER], ["100", "100"])
    with pytest.raises(ValueError, match="records has shape"):
        ec57_scores([0, 1], [0, 1], [LATER, LATER], ["100"])


scored_beats = st.lists(
    st.tuples(st.sampled_from(["100", "200", "201"]), st.floats(0, 1800), st.integers(0, 4), st.integers(0, 4)),
    min_size=1,
    max_size=80,
)


@given(scored_beats, st.randoms(use_true_random=False))
def test_the_order_of_the_beats_and_records_changes_nothing(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    def scores(of_rows):
        records, times, truth, predicted = zip(*of_rows, strict=True)
        return ec57_scores(truth, predicted, times, records)

    assert scores(rows) == scores(shuffled)


@given(scored_beats)
def test_ratios_lie_between_0_and_1_and_counts_never_exceed_the_scored_beats(rows):
    records, times, truth, predicted = zip(*rows, strict=True)
    scores = ec57_scores(truth, predicted, times, records)
    for values in scores["gross"].values():
        assert sum(values[name] for name in ("tp", "fn", "fp", "tn")) <= scores["n_scored"]
        assert all(values[name] is None or 0 <= values[name] <= 1 for name in ("se", "ppv", "fpr"))


@given(scored_beats)
def test_renaming_records_changes_no_gross_score(rows):
    records, times, truth, predicted = zip(*rows, strict=True)
    renamed = [{"100": "9", "200": "1", "201": "5"}[record] for record in records]
    before, after = (ec57_scores(truth, predicted, times, names) for names in (records, renamed))
    assert before["gross"] == after["gross"]
