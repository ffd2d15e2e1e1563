"""ANSI/AAMI EC57 scores of ectopic beats, as the WFDB programs ``bxb`` and ``sumstats`` compute them.

They are made of the pairs that :mod:`stages.scores.bxb` counts. The rules are those at the end of ``bxb.c``:

====  ==  =============================  =================  ==================
kind  TP  FN                             FP                 neither
====  ==  =============================  =================  ==================
VEB   Vv  Vn + Vs + Vf + Vq + Vo + Vx    Nv + Sv + Ov + Xv  Fv, Qv
SVEB  Ss  Sn + Sv + Sf + Sq + So + Sx    Ns + Vs + Fs       Qs
                                         + Os + Xs
QRS   all pairs of two beats             rows O and X       columns o and x: FN
====  ==  =============================  =================  ==================

TN are the pairs in which neither the true nor the called class is the one scored, missed beats left aside; F and Q
beats are among them. Se = TP / (TP + FN), +P = TP / (TP + FP), FPR = FP / (TN + FP). ``bxb`` prints an FPR for VEB
alone; the one for SVEB is its like.

``gross`` pools the beats, ``average`` is the mean of the records in which a ratio is defined. The line format from
which ``sumstats`` pools has Fs and Qs in one number, so its SVEB +P leaves Fs out, against the rule by which ``bxb``
scores each record; ``ppv`` keeps the rule and ``ppv_sumstats`` is what ``sumstats`` prints.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.scores.bxb import CALLED, TRUE
from stages.scores.per_beat import none_if_nan

KINDS = {"sveb": ("S", "Q"), "veb": ("V", "FQ")}
"""Kind of ectopic beat -> its class, and the true classes that are no false positives when they are called it."""

COUNTS = ("tp", "fn", "fp", "tn")
RATIOS = ("se", "ppv", "fpr")
SHOWN = ("qrs_se", "qrs_ppv", *(f"{kind}_{ratio}" for kind in KINDS for ratio in RATIOS))
"""Figures that are shown beside the scores that count all beats alike."""

CONVENTIONS = {
    "e_j_in_n": "e and j in N, the AAMI classes of de Chazal et al. 2004",
    "e_j_in_s": "e and j in S, as the WFDB program bxb files them",
}
"""How the escape beats e and j are filed."""

AFTER_LEARNING, FROM_START = "after_learning", "from_start"
"""Periods that are scored: after the learning period of EC57, and the record from its start."""

GROSS, AVERAGE = "gross", "average"
BEATS = "NSVFQ"
PAIRS = tuple(row + column for row in TRUE for column in CALLED if not (row in "OX" and column in "ox"))
"""The pairs that exist, row by row."""


def ec57_table(confusions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Score the ectopic beats of every record by itself.

    Parameters
    ----------
    confusions : mapping of str to DataFrame
        Record -> its pairs, as :func:`stages.scores.bxb.compare` counts them.

    Returns
    -------
    DataFrame
        One row a record, sorted by name: ``record``, ``beats`` (scored), the number of each pair (``Nn``, ``Ns``, …),
        ``qrs_se``, ``qrs_ppv``, then ``<kind>_tp``, ``_fn``, ``_fp``, ``_tn`` (beats) and ``_se``, ``_ppv``, ``_fpr``
        for the kinds ``sveb`` and ``veb``, and ``sveb_ppv_sumstats``. Ratios are fractions, NaN where undefined.
    """
    rows = []
    for record, confusion in sorted(confusions.items()):
        pairs = confusion.to_numpy()
        row: dict[str, Any] = {"record": record, "beats": _count(pairs, BEATS, CALLED)}
        row |= {pair: _count(pairs, *pair) for pair in PAIRS}
        rows.append(row | _figures(pairs))
    return pd.DataFrame(rows)


def ec57_summary(confusions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Score the ectopic beats of a set of records, pooled and averaged.

    Parameters
    ----------
    confusions : mapping of str to DataFrame
        As for :func:`ec57_table`.

    Returns
    -------
    DataFrame
        Two rows, ``kind`` ``gross`` and ``average``: ``n_scored``, the number of true beats scored, and the ratios and
        counts of :func:`ec57_table`; a mean has no counts. Ratios are fractions, NaN where undefined.
    """
    table = ec57_table(confusions)
    gross = _figures(np.sum([confusion.to_numpy() for confusion in confusions.values()], axis=0))
    ratios = [name for name in gross if not name.endswith(COUNTS)]
    average = {name: table[name].astype(float).mean() for name in ratios}
    rows = [{"kind": GROSS, **gross}, {"kind": AVERAGE, **average}]
    summary = pd.DataFrame(rows, columns=["kind", *gross])
    summary.insert(1, "n_scored", int(table["beats"].sum()))
    return summary.astype(dict.fromkeys([name for name in gross if name not in ratios], "Int64"))


def main_figures(views: pd.DataFrame) -> dict[str, float | None]:
    """Pick the figures to look at first: e and j in N, after the learning period.

    Parameters
    ----------
    views : DataFrame
        Rows of :func:`ec57_summary` with ``convention`` and ``period``.

    Returns
    -------
    dict
        The gross figures of ``SHOWN``, and those averaged over records with ``_average`` behind the name; None where
        undefined.
    """
    main = views[(views["convention"] == "e_j_in_n") & (views["period"] == AFTER_LEARNING)].set_index("kind")
    figures = main[list(SHOWN)].astype(float).to_dict("index")
    suffixes = {GROSS: "", AVERAGE: "_average"}
    return {f"{name}{suffixes[kind]}": none_if_nan(figures[kind][name]) for kind in suffixes for name in SHOWN}


def show(value: float | None, digits: int = 2) -> str:
    """Print a ratio as ``bxb`` does: in percent, ``-`` where it is undefined.

    Parameters
    ----------
    value : float or None
        A fraction; ``None`` or NaN is undefined.
    digits : int
        Digits after the point; ``bxb`` prints 2, and 3 for a false positive rate.
    """
    return "-" if value is None or np.isnan(value) else f"{100 * value:.{digits}f}"


def _figures(pairs: NDArray[np.integer]) -> dict[str, float]:
    """Compute counts and ratios of one confusion matrix, NaN where undefined."""
    called = BEATS.lower()
    found, missed, extra = _count(pairs, BEATS, called), _count(pairs, BEATS, "ox"), _count(pairs, "OX", called)
    figures: dict[str, float] = {"qrs_se": _ratio(found, found + missed), "qrs_ppv": _ratio(found, found + extra)}
    for kind, (own, neither) in KINDS.items():
        false = [row for row in TRUE if row not in own + neither]
        others = [row for row in TRUE if row != own]
        tp, fp = _count(pairs, own, own.lower()), _count(pairs, false, own.lower())
        fn, tn = _count(pairs, own, CALLED) - tp, _count(pairs, others, called.replace(own.lower(), ""))
        counts = dict(zip(COUNTS, (tp, fn, fp, tn), strict=True))
        ratios = {"se": _ratio(tp, tp + fn), "ppv": _ratio(tp, tp + fp), "fpr": _ratio(fp, tn + fp)}
        figures |= {f"{kind}_{name}": value for name, value in (counts | ratios).items()}
    hits = _count(pairs, "S", "s")
    return figures | {"sveb_ppv_sumstats": _ratio(hits, hits + _count(pairs, "NVOX", "s"))}


def _count(pairs: NDArray[np.integer], rows: Iterable[str], columns: Iterable[str]) -> int:
    return int(pairs[np.ix_([TRUE.index(row) for row in rows], [CALLED.index(name) for name in columns])].sum())


def _ratio(part: float, whole: float) -> float:
    return float(part) / whole if whole else float("nan")
