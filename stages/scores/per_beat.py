"""Scores that count every test beat alike: accuracy, sensitivity, positive predictivity, F1.

Labels are integer arrays of positions in :data:`stages.ecg.aami.CLASSES` (N S V F Q), one a beat.
A ratio with nothing below the line is undefined, not zero: it is ``None`` in a dictionary (``null`` in JSON)
and NaN in a table.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_fscore_support

from stages.ecg.aami import CLASSES

POSITIONS = range(len(CLASSES))
CLASS_SCORES = ("se", "ppv", "f1")
"""Ratios of each class: sensitivity, positive predictivity and their harmonic mean."""

ECTOPIC = ("S", "V", "F")
"""The classes that a per-record table follows; N is what accuracy already shows, and DS1 and DS2 have next to no Q."""


def checked_labels(truth: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return both label arrays as integers, after making sure that they name the same number of known classes.

    Returns
    -------
    truth, predicted : ndarray of intp, shape (n,)

    Raises
    ------
    ValueError
        If the arrays differ in length, are not one-dimensional, or hold anything but positions in ``CLASSES``.
    """
    arrays = []
    for name, labels in (("truth", np.asarray(truth)), ("predicted", np.asarray(predicted))):
        if labels.ndim != 1:
            raise ValueError(f"{name} has shape {labels.shape}; expected one label a beat, shape (n,)")
        if labels.size and not np.isin(labels, POSITIONS).all():
            unknown = sorted(set(labels.tolist()) - set(POSITIONS))
            raise ValueError(f"{name} holds labels {unknown[:5]}; expected positions 0 to {POSITIONS[-1]} in {CLASSES}")
        arrays.append(labels.astype(np.intp))
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(
            f"{len(arrays[0])} true labels but {len(arrays[1])} predicted ones; expected one of each a beat"
        )
    return arrays[0], arrays[1]


def confusion(truth: ArrayLike, predicted: ArrayLike) -> pd.DataFrame:
    """Count the beats of every pair of true and predicted class.

    Parameters
    ----------
    truth, predicted : array_like of int, shape (n,)
        Positions in ``CLASSES``.

    Returns
    -------
    DataFrame of int, shape (5, 5)
        Rows are the true classes (index ``actual``), columns the predicted ones (``predicted``), in ``CLASSES`` order.

    Raises
    ------
    ValueError
        See :func:`checked_labels`.
    """
    truth, predicted = checked_labels(truth, predicted)
    size = len(CLASSES)
    counts = np.bincount(size * truth + predicted, minlength=size * size).reshape(size, size)
    return pd.DataFrame(
        counts, index=pd.Index(CLASSES, name="actual"), columns=pd.Index(CLASSES, name="predicted"), dtype="int64"
    )


def confusion_table(truth: ArrayLike, predicted: ArrayLike) -> pd.DataFrame:
    """Count the beats of every pair of true and predicted class, one pair a row.

    Returns
    -------
    DataFrame
        25 rows: ``actual``, ``predicted`` (str) and ``beats`` (int), in ``CLASSES`` order.

    Raises
    ------
    ValueError
        See :func:`checked_labels`.
    """
    counts = confusion(truth, predicted).reset_index()
    pairs = counts.melt("actual", var_name="predicted", value_name="beats")
    return pairs.sort_values("actual", key=lambda names: names.map(CLASSES.index), kind="stable", ignore_index=True)


def beat_scores(truth: ArrayLike, predicted: ArrayLike) -> dict[str, Any]:
    """Score a classifier on all test beats, given as :func:`confusion` takes them.

    Accuracy is the fraction of the beats that got their own class. It is not the mean of the one-vs-rest accuracies
    of the classes, which counts every true negative of every class and so flatters.

    A macro F1 is the unweighted mean of the F1 of its classes, each computed on all beats, Q among them; a class that
    is neither present nor predicted has no F1 and counts as 0, as in scikit-learn with ``zero_division=0``. So
    ``macro_f1`` stays below 1 on a test set without Q beats, whatever is predicted.

    Returns
    -------
    dict
        ``n_test``, ``accuracy``, ``macro_f1_nsvf`` (over N S V F), ``macro_f1`` (over all five classes) and, for each
        class, ``se_<class>`` (sensitivity, recall; ``None`` for a class without beats), ``ppv_<class>`` (positive
        predictivity, precision; ``None`` for a class never predicted), ``f1_<class>`` (``None`` where both hold, 0 for
        a class that is present or predicted but never hit) and ``support_<class>`` (its true beats).

    Raises
    ------
    ValueError
        If there are no beats, or see :func:`checked_labels`.
    """
    truth, predicted = checked_labels(truth, predicted)
    if not len(truth):
        raise ValueError("no test beats to score; expected at least one")
    ppv, se, f1, support = precision_recall_fscore_support(truth, predicted, labels=POSITIONS, zero_division=np.nan)
    f1_or_zero = np.nan_to_num(f1, nan=0.0)
    scores: dict[str, Any] = {
        "n_test": len(truth),
        "accuracy": float(np.mean(truth == predicted)),
        "macro_f1_nsvf": float(f1_or_zero[[CLASSES.index(name) for name in "NSVF"]].mean()),
        "macro_f1": float(f1_or_zero.mean()),
    }
    for name, *ratios, beats in zip(CLASSES, se, ppv, f1, support, strict=True):
        scores |= {f"{score}_{name}": none_if_nan(ratio) for score, ratio in zip(CLASS_SCORES, ratios, strict=True)}
        scores[f"support_{name}"] = int(beats)
    return scores


def none_if_nan(value: float) -> float | None:
    """Turn NaN, which JSON lacks, into ``None``, and any other number into a plain ``float``."""
    return None if np.isnan(value) else float(value)


def majority_baseline(truth: ArrayLike) -> float:
    """Accuracy of calling every beat N, which a classifier has to beat (0.890 on DS2).

    Raises
    ------
    ValueError
        If there are no beats, or see :func:`checked_labels`.
    """
    return beat_scores(truth, np.full(np.shape(truth), CLASSES.index("N")))["accuracy"]


def scores_of_records(records: ArrayLike, truth: ArrayLike, predicted: ArrayLike) -> pd.DataFrame:
    """Score every record by itself, for one record can make or break a pooled score.

    Parameters
    ----------
    records : array_like of str, shape (n,)
        The record each beat comes from.
    truth, predicted : array_like of int, shape (n,)
        Positions in ``CLASSES``.

    Returns
    -------
    DataFrame
        One row a record, sorted by name: ``record``, ``beats``, ``accuracy`` and, for each class of S V F,
        ``<class>_support``, ``<class>_se``, ``<class>_ppv`` and ``<class>_f1``; NaN where a ratio is undefined.

    Raises
    ------
    ValueError
        If there are no beats, ``records`` has another length, or see :func:`checked_labels`.
    """
    truth, predicted = checked_labels(truth, predicted)
    records = np.asarray(records)
    if records.shape != truth.shape:
        raise ValueError(f"records has shape {records.shape}; expected {truth.shape}, one record name a beat")
    rows = []
    for record in np.unique(records):
        of_record = records == record
        scores = beat_scores(truth[of_record], predicted[of_record])
        row = {"record": str(record), "beats": scores["n_test"], "accuracy": scores["accuracy"]}
        for name in ECTOPIC:
            row |= {f"{name}_{score}": scores[f"{score}_{name}"] for score in ("support", *CLASS_SCORES)}
        rows.append(row)
    if not rows:
        raise ValueError("no test beats to score; expected at least one")
    ratios = [f"{name}_{score}" for name in ECTOPIC for score in CLASS_SCORES]
    return pd.DataFrame(rows).astype(dict.fromkeys(ratios, "float64"))
