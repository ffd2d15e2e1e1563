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


def ec57_scores(confusions: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Score the ectopic beats of a set of records, pooled and averaged.

    Returns
    -------
    dict
        ``n_scored``, the number of true beats scored; ``gross`` and ``average``: for ``qrs``, ``sveb`` and ``veb`` the
        ratios, for ``gross`` also the counts. Ratios are fractions, ``None`` where undefined.
    """
    table = ec57_table(confusions)
    gross = _figures(np.sum([confusion.to_numpy() for confusion in confusions.values()], axis=0))
    ratios = [name for name in gross if not name.endswith(COUNTS)]
    return {
        "n_scored": int(table["beats"].sum()),
        "gross": _nested(gross),
        "average": _nested({name: table[name].astype(float).mean() for name in ratios}),
    }


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
    """Counts and ratios of one confusion matrix, NaN where undefined."""
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


def _nested(figures: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    nested: dict[str, dict[str, float | None]] = {"qrs": {}, "sveb": {}, "veb": {}}
    for name, value in figures.items():
        kind, _, figure = name.partition("_")
        nested[kind][figure] = value if isinstance(value, int) else none_if_nan(value)
    return nested


def _ratio(part: float, whole: float) -> float:
    return float(part) / whole if whole else float("nan")
