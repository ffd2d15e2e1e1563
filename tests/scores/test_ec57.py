"""The rules of ANSI/AAMI EC57 beat-by-beat scoring, one by one."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.scores.bxb import CALLED, TRUE
from stages.scores.ec57 import PAIRS, SHOWN, ec57_summary, ec57_table, main_figures, show


def confusion(**pairs):
    """A confusion matrix from numbers of pairs written as bxb writes them: upper case true, lower case called."""
    table = pd.DataFrame(0, index=TRUE, columns=CALLED)
    for pair, number in pairs.items():
        table.loc[pair[0], pair[1]] = number
    return table


def summary(confusions, kind="gross"):
    """Scores of all records, pooled or averaged."""
    return ec57_summary(confusions).set_index("kind").loc[kind]


def of_kind(scores, kind):
    """Counts and ratios of one kind of beats; None where undefined."""
    named = {name.removeprefix(f"{kind}_"): value for name, value in scores.items() if name.startswith(f"{kind}_")}
    return {name: None if pd.isna(value) else value for name, value in named.items()}


def score(kind, **pairs):
    """Counts of one record."""
    gross = of_kind(summary({"100": confusion(**pairs)}), kind)
    return {name: gross[name] for name in ("tp", "fn", "fp", "tn")}


# The formulas of VTP, VFN, VFP, VTN and STP, SFN, SFP in bxb.c, written out.
RULES = {
    "veb": {
        "tp": "Vv",
        "fn": "Vn Vs Vf Vq Vo Vx",
        "fp": "Nv Sv Ov Xv",
        "tn": "Nn Ns Nf Nq Sn Ss Sf Sq Fn Fs Ff Fq Qn Qs Qf Qq On Os Of Oq Xn Xs Xf Xq",
        None: "Fv Qv No Nx So Sx Fo Fx Qo Qx",
    },
    "sveb": {
        "tp": "Ss",
        "fn": "Sn Sv Sf Sq So Sx",
        "fp": "Ns Vs Fs Os Xs",
        "tn": "Nn Nv Nf Nq Vn Vv Vf Vq Fn Fv Ff Fq Qn Qv Qf Qq On Ov Of Oq Xn Xv Xf Xq",
        None: "Qs No Nx Vo Vx Fo Fx Qo Qx",
    },
}
CASES = [(kind, pair, as_) for kind, rules in RULES.items() for as_, listed in rules.items() for pair in listed.split()]


@pytest.mark.parametrize(("kind", "pair", "as_"), CASES)
def test_each_pair_counts_as_bxb_counts_it(kind, pair, as_):
    expected = dict.fromkeys(("tp", "fn", "fp", "tn"), 0) | ({as_: 3} if as_ else {})
    assert score(kind, **{pair: 3}) == expected


@pytest.mark.parametrize("kind", ["veb", "sveb"])
def test_the_rules_cover_all_pairs(kind):
    listed = " ".join(RULES[kind].values()).split()
    assert sorted(listed) == sorted(PAIRS)
    assert len(PAIRS) == 45


# Record 100: VEB Se 3/4, +P 3/5, FPR 2/12; no SVEB. Record 200: VEB Se 1/1, +P 1/1, FPR 0/4; SVEB Se 2/3, +P 2/2.
TWO_RECORDS = {
    "200": confusion(Vv=1, Ss=2, Sn=1, Nn=1),
    "100": confusion(Nn=10, Nv=2, Vv=3, Vn=1, Fv=7),
}


def test_gross_pools_the_beats_of_all_records():
    gross = summary(TWO_RECORDS)
    assert of_kind(gross, "veb") == pytest.approx(
        {"tp": 4, "fn": 1, "fp": 2, "tn": 14, "se": 4 / 5, "ppv": 4 / 6, "fpr": 2 / 16}, rel=1e-12
    )
    assert of_kind(gross, "sveb") == pytest.approx(
        {"tp": 2, "fn": 1, "fp": 0, "tn": 23 + 2, "se": 2 / 3, "ppv": 1.0, "fpr": 0.0, "ppv_sumstats": 1.0}, rel=1e-12
    )


def test_average_is_the_mean_of_the_records_in_which_a_ratio_is_defined():
    average = summary(TWO_RECORDS, "average")
    no_counts = dict.fromkeys(("tp", "fn", "fp", "tn"))
    ratios = {"se": (3 / 4 + 1) / 2, "ppv": (3 / 5 + 1) / 2, "fpr": (2 / 12 + 0) / 2}
    assert of_kind(average, "veb") == pytest.approx(no_counts | ratios)
    assert of_kind(average, "sveb") == pytest.approx(
        no_counts | {"se": 2 / 3, "ppv": 1.0, "fpr": 0.0, "ppv_sumstats": 1.0}
    )


def test_detection_is_scored_beside_the_classes():
    gross = summary({"100": confusion(Nn=6, Vs=2, No=1, Sx=1, On=3, Xv=1)})
    assert of_kind(gross, "qrs") == {"se": 8 / 10, "ppv": 8 / 12}


def test_sumstats_leaves_fusion_beats_called_supraventricular_out_of_its_sveb_predictivity():
    gross = of_kind(summary({"100": confusion(Ss=6, Ns=2, Fs=4)}), "sveb")
    assert gross["ppv"] == 6 / 12
    assert gross["ppv_sumstats"] == 6 / 8


def test_undefined_ratios_are_missing_and_print_as_a_dash():
    confusions = {"100": confusion(Nn=2)}
    gross, average = (
        of_kind(summary(confusions, kind), name) for kind, name in (("gross", "veb"), ("average", "sveb"))
    )
    assert gross == {"se": None, "ppv": None, "fpr": 0.0, "tp": 0, "fn": 0, "fp": 0, "tn": 2}
    assert {name: average[name] for name in ("se", "ppv", "fpr", "ppv_sumstats")} == {
        "se": None,
        "ppv": None,
        "fpr": 0.0,
        "ppv_sumstats": None,
    }
    assert show(None) == show(float("nan")) == "-"
    assert show(0.91236) == "91.24"
    assert show(0.0123456, digits=3) == "1.235"


def test_the_table_holds_every_pair_and_the_figures_of_each_record():
    table = ec57_table(TWO_RECORDS).set_index("record")
    assert list(table.index) == ["100", "200"]
    first = table.loc["100"]
    assert (first["beats"], first["Nn"], first["Fv"], first["Sn"]) == (23, 10, 7, 0)
    assert (first["veb_tp"], first["veb_fn"], first["veb_fp"], first["veb_tn"]) == (3, 1, 2, 10)
    assert first["veb_se"] == 0.75
    assert pd.isna(first["sveb_se"])
    assert set(PAIRS) <= set(table.columns)


def test_a_record_that_ends_before_scoring_starts_is_shown_with_nothing_scored():
    table = ec57_table({"105": confusion()})
    assert table.loc[0, "beats"] == 0
    assert pd.isna(table.loc[0, "veb_fpr"])


matrices = st.dictionaries(st.sampled_from(PAIRS), st.integers(0, 50)).map(lambda pairs: confusion(**pairs))
recordings = st.dictionaries(st.sampled_from(["100", "200", "201"]), matrices, min_size=1)


@given(recordings)
def test_ratios_lie_between_0_and_1_and_every_true_beat_is_scored_once(confusions):
    gross = summary(confusions)
    assert all(pd.isna(gross[name]) or 0 <= gross[name] <= 1 for name in SHOWN)
    true = sum(int(pairs.loc["V"].sum()) for pairs in confusions.values())
    assert gross["veb_tp"] + gross["veb_fn"] == true


@given(recordings)
def test_renaming_records_changes_no_gross_score(confusions):
    renamed = {{"100": "9", "200": "1", "201": "5"}[record]: pairs for record, pairs in confusions.items()}
    pd.testing.assert_series_equal(summary(confusions), summary(renamed))


def test_the_main_figures_are_those_after_the_learning_period_with_e_and_j_in_n():
    scores = ec57_summary(TWO_RECORDS)
    other = scores.assign(veb_se=0.5, sveb_se=0.5)
    views = pd.concat(
        [
            other.assign(convention="e_j_in_s", period="after_learning"),
            other.assign(convention="e_j_in_n", period="from_start"),
            scores.assign(convention="e_j_in_n", period="after_learning"),
        ]
    )
    figures = main_figures(views)
    assert figures["veb_se"] == 4 / 5
    assert figures["veb_se_average"] == (3 / 4 + 1) / 2
    assert figures["sveb_se_average"] == 2 / 3
    assert set(figures) == {*SHOWN, *(f"{name}_average" for name in SHOWN)}
    undefined = main_figures(ec57_summary({"100": confusion()}).assign(convention="e_j_in_n", period="after_learning"))
    assert undefined["veb_se"] is None
    assert undefined["veb_se_average"] is None
