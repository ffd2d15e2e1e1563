"""ANSI/AAMI EC57 beat-by-beat scores of ectopic beats, as the WFDB program ``bxb`` computes them.

A pair is written as ``bxb`` writes it: upper case is the true class, lower case the predicted one, so ``Nv`` is the
number of normal beats called ventricular. The rules are those at the end of
``bxb.c`` (G. Moody, WFDB Software Package):

====  ==  =================  ============  ===================
kind  TP  FN                 FP            counted neither way
====  ==  =================  ============  ===================
VEB   Vv  Vn + Vs + Vf + Vq  Nv + Sv       Fv, Qv
SVEB  Ss  Sn + Sv + Sf + Sq  Ns + Vs + Fs  Qs
====  ==  =================  ============  ===================

TN are the pairs in which neither the true nor the predicted class is the one scored; F and Q beats are among them.
Se = TP / (TP + FN), +P = TP / (TP + FP), FPR = FP / (TN + FP). ``bxb`` prints an FPR for VEB alone; the one for
SVEB is its like. (The WFDB program ``sumstats`` pools line-format reports in which Fs and Qs are one number, so its
gross SVEB +P leaves Fs out; the one here keeps it, as ``bxb`` does record by record.)

Two things to state next to a figure. The classes are those of :mod:`stages.ecg.aami`, in which the escape beats
e and j are N, while ``bxb`` files them under S. And every detection is taken as given (there are no missed or extra
beats), since the beats are cut at the annotated fiducials.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from stages.ecg.aami import CLASSES
from stages.scores.plain import checked_labels, confusion, none_if_nan

LEARNING_PERIOD_S = 300.0
"""EC57 leaves the first five minutes of a record to the algorithm for learning; scoring starts after them."""

KINDS = {"sveb": ("S", "Q"), "veb": ("V", "FQ")}
"""Kind of ectopic beat -> its class, and the true classes that are no false positives when they are called it."""

COUNTS = ("tp", "fn", "fp", "tn")
RATIOS = ("se", "ppv", "fpr")


def ec57_table(
    truth: ArrayLike,
    predicted: ArrayLike,
    times_s: ArrayLike,
    records: ArrayLike,
    start_s: float = LEARNING_PERIOD_S,
) -> pd.DataFrame:
    """Score the ectopic beats of every record by itself.

    Parameters
    ----------
    truth, predicted : array_like of int, shape (n,)
        Positions in ``CLASSES``.
    times_s : array_like of float, shape (n,)
        Time of each beat from the start of its record, in seconds.
    records : array_like of str, shape (n,)
        The record each beat comes from.
    start_s : float
        Beats before this time are not scored; one at exactly this time is, as in ``bxb``.

    Returns
    -------
    DataFrame
        One row a record, sorted by name, also for a record without a scored beat: ``record``, ``beats`` (scored),
        then ``<kind>_tp``, ``_fn``, ``_fp``, ``_tn`` (beats) and ``_se``, ``_ppv``, ``_fpr`` (fractions, NaN where
        undefined) for the kinds ``sveb`` and ``veb``.

    Raises
    ------
    ValueError
        If the arrays differ in length or hold labels that are no positions in ``CLASSES``.
    """
    truth, predicted = checked_labels(truth, predicted)
    times, names = np.asarray(times_s, dtype=float), np.asarray(records)
    for what, values in (("times_s", times), ("records", names)):
        if values.shape != truth.shape:
            raise ValueError(f"{what} has shape {values.shape}; expected {truth.shape}, one value a beat")
    rows = []
    for record in np.unique(names):
        scored = (names == record) & (times >= start_s)
        pairs = confusion(truth[scored], predicted[scored]).to_numpy()
        row: dict[str, Any] = {"record": str(record), "beats": int(scored.sum())}
        for kind in KINDS:
            counts = _counts(pairs, kind)
            row |= {f"{kind}_{name}": value for name, value in (counts | _ratios(counts)).items()}
        rows.append(row)
    columns = ["record", "beats", *(f"{kind}_{name}" for kind in KINDS for name in COUNTS + RATIOS)]
    return pd.DataFrame(rows, columns=columns)


def ec57_scores(
    truth: ArrayLike,
    predicted: ArrayLike,
    times_s: ArrayLike,
    records: ArrayLike,
    start_s: float = LEARNING_PERIOD_S,
) -> dict[str, Any]:
    """Score the ectopic beats of a set of records, pooled and averaged.

    Parameters
    ----------
    truth, predicted, times_s, records, start_s
        As in :func:`ec57_table`.

    Returns
    -------
    dict
        ``start_s``; ``n_scored``, the number of scored beats; ``gross``, in which every beat weighs the same: for
        ``sveb`` and ``veb`` the ratios ``se``, ``ppv``, ``fpr`` and the counts ``tp``, ``fn``, ``fp``, ``tn``;
        ``average``, in which every record weighs the same: each ratio's mean over the records in which it is
        defined. Ratios are fractions, ``None`` where undefined.

    Raises
    ------
    ValueError
        See :func:`ec57_table`.
    """
    table = ec57_table(truth, predicted, times_s, records, start_s)
    gross, average = {}, {}
    for kind in KINDS:
        counts = {name: int(table[f"{kind}_{name}"].sum()) for name in COUNTS}
        gross[kind] = {name: none_if_nan(value) for name, value in _ratios(counts).items()} | counts
        average[kind] = {name: none_if_nan(table[f"{kind}_{name}"].astype(float).mean()) for name in RATIOS}
    return {"start_s": float(start_s), "n_scored": int(table["beats"].sum()), "gross": gross, "average": average}


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


def _counts(pairs: NDArray[np.int64], kind: str) -> dict[str, int]:
    """Counts of a kind of ectopic beat in a confusion matrix, rows true and columns predicted."""
    name, uncounted = KINDS[kind]
    own = CLASSES.index(name)
    false_positives = [row for row, true_name in enumerate(CLASSES) if true_name not in name + uncounted]
    tp, true, called = pairs[own, own], pairs[own].sum(), pairs[:, own].sum()
    return {
        "tp": int(tp),
        "fn": int(true - tp),
        "fp": int(pairs[false_positives, own].sum()),
        "tn": int(pairs.sum() - true - called + tp),
    }


def _ratios(counts: dict[str, int]) -> dict[str, float]:
    """Se, +P and FPR of counts, NaN where undefined."""
    tp, fn, fp, tn = (counts[name] for name in COUNTS)
    return {"se": _ratio(tp, tp + fn), "ppv": _ratio(tp, tp + fp), "fpr": _ratio(fp, tn + fp)}


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
