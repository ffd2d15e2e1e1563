"""How far a score hangs on who was recorded: bootstrap over records, and tests of two classifiers on the same beats.

Beats of one recording are alike, so beats are no independent draws; recordings are. Resampling them gives wider, and
honest, intervals.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from stages.ecg.aami import CLASSES
from stages.scores.per_beat import checked_labels

SCORES = ("accuracy", "macro_f1_nsvf", "macro_f1", *(f"f1_{name}" for name in CLASSES))
CONFIDENCE = 0.95

Statistic = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Scores, shape (resamples, scores), of resampled records, shape (resamples, records); NaN where undefined."""


class Interval(NamedTuple):
    """A 95 % interval, of the resamples in which the score is defined, and their share; NaN if there are none.

    A score is undefined in a resample that has nothing to divide by, such as the F1 of a class that none of its
    records has. To count it as 0 would draw the interval down; to give the interval up would tell nothing.
    """

    low: float
    high: float
    defined: float


def record_confusions(records: ArrayLike, truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.int64]:
    """Count the pairs of true and predicted class of each record.

    Parameters
    ----------
    records : array_like, shape (n,)
    truth, predicted : array_like of int, shape (n,)
        Positions in ``CLASSES``.

    Returns
    -------
    ndarray of int, shape (records, 5, 5)
        Sorted by record; true classes in rows, predicted ones in columns.

    Raises
    ------
    ValueError
        See :func:`stages.scores.per_beat.checked_labels`.
    """
    truth, predicted = checked_labels(truth, predicted)
    names, numbers = np.unique(np.asarray(records), return_inverse=True)
    counts = np.zeros((len(names), len(CLASSES), len(CLASSES)), dtype=np.int64)
    np.add.at(counts, (numbers, truth, predicted), 1)
    return counts


def scores_of(confusions: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compute ``SCORES`` from confusion matrices.

    Parameters
    ----------
    confusions : ndarray of int, shape (..., 5, 5)

    Returns
    -------
    ndarray of float, shape (..., scores)
        The F1 of a class that is neither present nor predicted is NaN, and counts as 0 in a macro F1, both as in
        :func:`stages.scores.per_beat.beat_scores`.
    """
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    either = confusions.sum(axis=-1) + confusions.sum(axis=-2)
    f1 = np.divide(2.0 * hits, either, out=np.full(hits.shape, np.nan), where=either > 0)
    accuracy = hits.sum(axis=-1) / confusions.sum(axis=(-2, -1))
    nsvf = [CLASSES.index(name) for name in "NSVF"]
    counted = np.nan_to_num(f1)
    head = [accuracy, counted[..., nsvf].mean(axis=-1), counted.mean(axis=-1)]
    return np.concatenate([np.stack(head, axis=-1), f1], axis=-1)


def intervals(confusions: NDArray[np.integer], resamples: int, seed: int) -> dict[str, Interval]:
    """Give the 95 % interval of each score, by the percentile bootstrap over records.

    Parameters
    ----------
    confusions : ndarray of int, shape (records, 5, 5)
    resamples : int
    seed : int

    Returns
    -------
    dict of str to Interval

    Raises
    ------
    ValueError
        If there are fewer than two records.
    """
    found = resampled(lambda rows: scores_of(confusions[rows].sum(axis=-3)), len(confusions), resamples, seed)
    return dict(zip(SCORES, found, strict=True))


def difference_intervals(
    first: NDArray[np.integer], second: NDArray[np.integer], resamples: int, seed: int
) -> dict[str, Interval]:
    """Give the 95 % interval of what each score of ``first`` has over ``second``, both on the same resampled records.

    Raises
    ------
    ValueError
        If the two were not scored on the same beats, or see :func:`intervals`.
    """
    if not np.array_equal(first.sum(axis=-1), second.sum(axis=-1)):
        raise ValueError("the classifiers were scored on different beats; a paired comparison needs the same")

    def difference(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return scores_of(first[rows].sum(axis=-3)) - scores_of(second[rows].sum(axis=-3))

    return dict(zip(SCORES, resampled(difference, len(first), resamples, seed), strict=True))


def pooled(parts: NDArray[np.integer], wholes: NDArray[np.integer]) -> Statistic:
    """Make the statistic that pools ratios, such as gross sensitivities, over the records of a resample.

    Parameters
    ----------
    parts, wholes : ndarray of int, shape (records, ratios)
        Numerators and denominators of each record.
    """

    def ratios(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        whole = wholes[rows].sum(axis=-2)
        return np.divide(parts[rows].sum(axis=-2), whole, out=np.full(whole.shape, np.nan), where=whole > 0)

    return ratios


def resampled(statistic: Statistic, records: int, resamples: int, seed: int) -> list[Interval]:
    """Give the 95 % interval of each score, by the percentile bootstrap over records; the seed fixes the resamples.

    Raises
    ------
    ValueError
        If there are fewer than two records.
    """
    if records < 2:
        raise ValueError(f"resampling records needs two or more, found {records}")
    rows = np.random.default_rng(seed).integers(0, records, (resamples, records))
    found = []
    for scores in statistic(rows).T:
        defined = scores[~np.isnan(scores)]
        ends = 50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)
        low, high = np.percentile(defined, ends).tolist() if len(defined) else (np.nan, np.nan)
        found.append(Interval(low, high, len(defined) / resamples))
    return found


def mcnemar(truth: ArrayLike, first: ArrayLike, second: ArrayLike) -> dict[str, Any]:
    """Test by exact binomial probabilities whether two classifiers err equally often (McNemar 1947).

    It takes beats for independent, which they are not: a small p says less than it seems to, and the interval of the
    paired bootstrap over records is to be believed before it.

    Returns
    -------
    dict
        ``only_first_right``, ``only_second_right``: beats; ``p_value``, two-sided.
    """
    truth, first = checked_labels(truth, first)
    truth, second = checked_labels(truth, second)
    only_first = int(np.sum((first == truth) & (second != truth)))
    only_second = int(np.sum((first != truth) & (second == truth)))
    differing = only_first + only_second
    p_value = float(binomtest(only_first, differing).pvalue) if differing else 1.0
    return {"only_first_right": only_first, "only_second_right": only_second, "p_value": p_value}
