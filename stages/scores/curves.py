"""What the class probabilities say beyond the labels: ROC and precision-recall curves, areas, calibration.

Probabilities are float arrays of shape (n, 5), columns in the order of :data:`stages.ecg.aami.CLASSES`; every class
is scored against the other four. The curve tables are thinned and rounded, so that they stay small and steady in Git;
areas and the calibration error are computed on all beats.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from stages.ecg.aami import CLASSES
from stages.scores.per_beat import checked_labels

DIGITS = 6
ROC_COLUMNS = ("class", "false_positive_rate", "true_positive_rate", "threshold")
PR_COLUMNS = ("class", "recall", "precision", "threshold")


def roc_points(truth: ArrayLike, probabilities: ArrayLike, max_points: int = 200) -> pd.DataFrame:
    """Receiver operating characteristic of each class against the rest.

    Parameters
    ----------
    truth : array_like of int, shape (n,)
        Positions in ``CLASSES``.
    probabilities : array_like of float, shape (n, 5)
    max_points : int
        At most so many points a class, evenly spaced along the curve, both ends among them; at least 2.

    Returns
    -------
    DataFrame
        Columns ``class``, ``false_positive_rate``, ``true_positive_rate``, ``threshold``, from the highest threshold
        to the lowest. The first threshold, above every probability, reads 1 (plots need finite numbers). A class with
        no beats, or with all of them, has no curve and is left out.

    Raises
    ------
    ValueError
        If shapes, labels, probabilities or ``max_points`` are out of range.
    """
    tables = []
    for name, is_class, probability in _one_vs_rest(truth, probabilities):
        if is_class.any() and not is_class.all():
            fpr, tpr, thresholds = roc_curve(is_class, probability)
            tables.append(_thinned(ROC_COLUMNS, name, (fpr, tpr, np.minimum(thresholds, 1.0)), max_points))
    return _stacked(tables, ROC_COLUMNS)


def pr_points(truth: ArrayLike, probabilities: ArrayLike, max_points: int = 200) -> pd.DataFrame:
    """Precision and recall of each class against the rest.

    Parameters
    ----------
    truth, probabilities, max_points
        As in :func:`roc_points`.

    Returns
    -------
    DataFrame
        Columns ``class``, ``recall``, ``precision``, ``threshold``, from the highest threshold to the lowest. The
        first point of a curve is recall 0 and precision 1 by convention, at threshold 1. A class with no beats is
        left out.

    Raises
    ------
    ValueError
        See :func:`roc_points`.
    """
    tables = []
    for name, is_class, probability in _one_vs_rest(truth, probabilities):
        if is_class.any():
            precision, recall, thresholds = precision_recall_curve(is_class, probability, drop_intermediate=True)
            points = (recall[::-1], precision[::-1], np.append(thresholds, 1.0)[::-1])
            tables.append(_thinned(PR_COLUMNS, name, points, max_points))
    return _stacked(tables, PR_COLUMNS)


def areas(truth: ArrayLike, probabilities: ArrayLike) -> dict[str, dict[str, float | None]]:
    """Areas under the curves of each class against the rest.

    Returns
    -------
    dict
        For each class ``roc_auc`` (``None`` if it has no beats or all of them) and ``average_precision`` (``None`` if
        it has no beats), both as scikit-learn defines them.

    Raises
    ------
    ValueError
        See :func:`roc_points`.
    """
    result: dict[str, dict[str, float | None]] = {}
    for name, is_class, probability in _one_vs_rest(truth, probabilities):
        some, others = is_class.any(), not is_class.all()
        result[name] = {
            "roc_auc": float(roc_auc_score(is_class, probability)) if some and others else None,
            "average_precision": float(average_precision_score(is_class, probability)) if some else None,
        }
    return result


def calibration_points(truth: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """How often the favoured class is right, by how probable it was said to be.

    Beats are sorted into bins of equal width by the probability of their favoured class (the confidence), a bin being
    open below and closed above; reliability diagram of Guo, Pleiss, Sun & Weinberger, "On calibration of modern
    neural networks", ICML 2017.

    Parameters
    ----------
    truth, probabilities
        As in :func:`roc_points`.
    bins : int
        Number of bins between 0 and 1; at least 1.

    Returns
    -------
    DataFrame
        One row a bin that holds beats: mean ``confidence``, ``accuracy``, ``beats``.

    Raises
    ------
    ValueError
        If ``bins`` is below 1, or see :func:`roc_points`.
    """
    return _calibration(truth, probabilities, bins).round(DIGITS)


def expected_calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over the bins of :func:`calibration_points`, weighted by their beats.

    Equation 3 of Guo et al. 2017; 0 is perfect.

    Raises
    ------
    ValueError
        See :func:`calibration_points`.
    """
    table = _calibration(truth, probabilities, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float(np.average(gaps, weights=table["beats"]))


def _calibration(truth: ArrayLike, probabilities: ArrayLike, bins: int) -> pd.DataFrame:
    if bins < 1:
        raise ValueError(f"bins is {bins}; expected at least 1")
    labels, values = _checked(truth, probabilities)
    confidence = values.max(axis=1)
    inner_edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    beats = pd.DataFrame({"confidence": confidence, "accuracy": values.argmax(axis=1) == labels, "beats": 1})
    binned = beats.groupby(np.digitize(confidence, inner_edges, right=True))
    return binned.agg({"confidence": "mean", "accuracy": "mean", "beats": "sum"}).reset_index(drop=True)


def _checked(truth: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(CLASSES) or not len(values):
        raise ValueError(f"probabilities has shape {values.shape}; expected (beats, {len(CLASSES)}), beats above 0")
    if not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise ValueError("probabilities holds values outside 0 to 1 or NaN; expected the output of a softmax")
    labels, _ = checked_labels(truth, values.argmax(axis=1))
    return labels, np.minimum(values, 1.0)


def _one_vs_rest(
    truth: ArrayLike, probabilities: ArrayLike
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.float64]]]:
    labels, values = _checked(truth, probabilities)
    for position, name in enumerate(CLASSES):
        yield name, labels == position, values[:, position]


def _thinned(
    columns: tuple[str, ...], name: str, points: tuple[NDArray[np.float64], ...], max_points: int
) -> pd.DataFrame:
    """Table of at most ``max_points`` points (x, y, threshold), evenly spaced along the curve, ends kept."""
    if max_points < 2:
        raise ValueError(f"max_points is {max_points}; expected at least 2, the ends of the curve")
    x, y, _ = points
    kept = np.arange(len(x))
    if len(x) > max_points:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        kept = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], max_points)))
        kept[-1] = len(x) - 1
    return pd.DataFrame({columns[0]: name, **{column: p[kept] for column, p in zip(columns[1:], points, strict=True)}})


def _stacked(tables: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(tables, ignore_index=True).round(DIGITS)
