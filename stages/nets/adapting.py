"""Adapting probabilities to the recording that beats come from, without labels.

Label propagation moves the probabilities of a beat towards those of its nearest neighbours in the recording;
prior-shift adaptation divides N and S anew for the share of S beats that the recording suggests; temperature scaling
calibrates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array

from stages.ecg import aami

N, S = (aami.CLASSES.index(name) for name in "NS")
TOLERANCE = 1e-8
"""Change of the share of S at which expectation maximisation has converged."""

ITERATIONS = 1000
"""Of expectation maximisation, at most."""

ALPHA, PASSES = 0.98, 100
"""Weight of the neighbours against a beat's own probabilities in each pass of label propagation, and the number of
passes; chosen by cross-validation on DS1."""

PAST_ALPHA, PAST_PASSES = 0.5, 1
"""The same where only earlier beats count: each pass leads further back, and many would end at the first beat of the
recording. Chosen by cross-validation on DS1."""

RHYTHM_WEIGHT = 0.5
"""Weight of a difference of rhythm beside one of morphology; chosen by cross-validation on DS1."""

ROWS_AT_ONCE = 2048
"""Beats that are correlated with all others of their recording at a time, so that memory stays small."""

TEMPERATURES = (0.1, 10.0)
"""Bounds of the search for the temperature."""

SMALLEST = 1e-12
"""Stands for a norm or a probability of zero, by which nothing can be divided and which has no logarithm."""


@dataclass(frozen=True)
class Adaptation:
    """How probabilities are adapted to a recording.

    Attributes
    ----------
    n_neighbors : int or None
        Nearest neighbours of a beat in :func:`propagate_classes`; None leaves that out.
    prior_strength : float or None
        Beats that the prior counts for in :func:`adapt_prior`; None leaves that out.
    prevalence_of_s : float
        Share of S among the N and S beats that the network was trained on.
    past_only : bool
        Whether a beat may be compared with earlier ones only.
    temperature : float
        For :func:`scale_confidence`.
    """

    n_neighbors: int | None
    prior_strength: float | None
    prevalence_of_s: float
    past_only: bool
    temperature: float = 1.0


class Adapter:
    """Adapts probabilities of the same beats any number of times; their nearest neighbours are found once.

    Parameters
    ----------
    adaptation : Adaptation
    signals : ndarray of float32, shape (beats, samples, channels)
    rhythm : ndarray of float32, shape (beats, features)
    records : array_like, shape (beats,)
        The recording of each beat, whose beats are in time order; all of them should be there.
    """

    def __init__(
        self, adaptation: Adaptation, signals: NDArray[np.float32], rhythm: NDArray[np.float32], records: ArrayLike
    ) -> None:
        self.adaptation, self.records = adaptation, np.asarray(records)
        self.neighbours: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        if (count := adaptation.n_neighbors) is not None:
            past = adaptation.past_only
            self.neighbours = (
                nearest_neighbours(morphology_and_rhythm(signals, rhythm), self.records, count, past),
                nearest_neighbours(rhythm.astype(np.float64), self.records, count, past),
            )

    def __call__(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Give the adapted probabilities, shape (beats, classes)."""
        how, adapted = self.adaptation, np.asarray(probabilities)
        if self.neighbours is not None:
            adapted = propagate_classes(adapted, *self.neighbours, how.past_only)
        if how.prior_strength is not None:
            adapted = adapt_prior(adapted, self.records, how.prevalence_of_s, how.prior_strength, how.past_only)
        return scale_confidence(adapted, how.temperature).astype(np.float32)


def normalised_morphology(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Free windows of level and amplitude, so that the nearest are those of the highest correlation.

    Parameters
    ----------
    signals : ndarray of float32, shape (beats, samples, channels)
        The first channel is taken.

    Returns
    -------
    ndarray of float32, shape (beats, samples)
        Of mean 0 and norm 1; a flat window is all 0.
    """
    level = signals[:, :, 0] - signals[:, :, 0].mean(axis=1, keepdims=True)
    return level / np.maximum(np.linalg.norm(level, axis=1, keepdims=True), SMALLEST)


def morphology_and_rhythm(signals: NDArray[np.float32], rhythm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join morphology and rhythm in one vector a beat, so that the nearest beats have both in common.

    Parameters
    ----------
    signals : ndarray of float32, shape (beats, samples, channels)
    rhythm : ndarray of float32, shape (beats, features)
        Logarithms of ratios and correlations, of the same order as normalised windows.

    Returns
    -------
    ndarray of float32, shape (beats, samples + features)
    """
    return np.hstack([normalised_morphology(signals), RHYTHM_WEIGHT * rhythm])


def nearest_neighbours(
    vectors: NDArray[np.floating], records: ArrayLike, n_neighbors: int, past_only: bool = False
) -> NDArray[np.int64]:
    """Find the nearest beats of the same recording.

    Parameters
    ----------
    vectors : ndarray of float, shape (beats, dimensions)
        What describes a beat; the Euclidean distance is compared.
    records : array_like, shape (beats,)
    n_neighbors : int
    past_only : bool
        Whether only earlier beats are neighbours.

    Returns
    -------
    ndarray of int, shape (beats, n_neighbors)
        Rows of the beats, in no order; where a recording has fewer, the row of the beat itself fills up.
    """
    records = np.asarray(records)
    nearest = np.repeat(np.arange(len(vectors))[:, None], n_neighbors, axis=1)
    for record in np.unique(records):
        rows = np.flatnonzero(records == record)
        of_record = vectors[rows]
        half_square = np.einsum("bd,bd->b", of_record, of_record) / 2
        count = min(n_neighbors, len(rows) - 1)
        for first in range(0, len(rows) if count else 0, ROWS_AT_ONCE):
            part = np.arange(first, min(first + ROWS_AT_ONCE, len(rows)))
            # Less half the squared distance, but for a constant of the row.
            closeness = of_record[part] @ of_record.T - half_square
            hidden = np.arange(len(rows)) >= part[:, None] if past_only else np.arange(len(rows)) == part[:, None]
            closeness[hidden] = -np.inf
            best = np.argpartition(-closeness, count - 1, axis=1)[:, :count]
            usable = np.isfinite(np.take_along_axis(closeness, best, axis=1))
            nearest[rows[part], :count] = np.where(usable, rows[best], rows[part][:, None])
    return nearest


def propagate_classes(
    probabilities: NDArray[np.floating],
    by_morphology: NDArray[np.int64],
    by_rhythm: NDArray[np.int64],
    past_only: bool = False,
) -> NDArray[np.float64]:
    """Propagate class probabilities among nearest neighbours.

    Beats of one morphology in one rhythm have one origin, and many of them are classified better than one. The N and S
    beats of a patient may have the same morphology: their sum is propagated among neighbours by morphology and rhythm,
    and how it divides into N and S among neighbours by rhythm alone.

    Parameters
    ----------
    probabilities : ndarray of float, shape (beats, classes)
    by_morphology, by_rhythm : ndarray of int, shape (beats, n_neighbors)
        From :func:`nearest_neighbours`: by morphology and rhythm together, and by rhythm alone.
    past_only : bool
        Whether these are earlier beats.

    Returns
    -------
    ndarray of float64, shape (beats, classes)
    """
    own = np.asarray(probabilities, dtype=np.float64)
    either = own[:, N] + own[:, S]
    share = np.divide(own[:, S], either, out=np.zeros_like(either), where=either > 0)
    propagated = own.copy()
    propagated[:, N], propagated[:, S] = either, 0
    alpha, passes = (PAST_ALPHA, PAST_PASSES) if past_only else (ALPHA, PASSES)
    propagated = label_propagation(propagated, by_morphology, alpha, passes)
    share = label_propagation(share, by_rhythm, alpha, passes)
    either = propagated[:, N].copy()
    propagated[:, N], propagated[:, S] = either * (1 - share), either * share
    return propagated


def label_propagation(
    values: NDArray[np.float64], neighbours: NDArray[np.int64], alpha: float, passes: int
) -> NDArray[np.float64]:
    """Spread values over a graph of neighbours, none of which forgets its own.

    The iteration of Zhou, Bousquet, Lal, Weston & Schoelkopf, "Learning with local and global consistency", NIPS 2003,
    with the mean of the neighbours in the place of their symmetric weights, and probabilities in that of labels.

    Parameters
    ----------
    values : ndarray of float64, shape (beats,) or (beats, columns)
    neighbours : ndarray of int, shape (beats, n_neighbors)
    alpha : float
        Weight of the neighbours in a pass, 0 to 1; the rest is that of the beat's own value.
    passes : int

    Returns
    -------
    ndarray of float64, shape of ``values``
    """
    beats, count = neighbours.shape
    starts = np.arange(0, beats * count + 1, count)
    mean = csr_array((np.full(beats * count, 1 / count), neighbours.ravel(), starts), shape=(beats, beats))
    spread = values
    for _ in range(passes):
        spread = alpha * (mean @ spread) + (1 - alpha) * values
    return spread


def adapt_prior(
    probabilities: NDArray[np.floating],
    records: ArrayLike,
    prevalence: float,
    prior_strength: float,
    past_only: bool = False,
) -> NDArray[np.float64]:
    """Divide what a network gave to N and S anew, for the share of S beats that the recording itself suggests.

    Prior-shift adaptation: expectation maximisation estimates the share from the probabilities of all beats of the
    recording (Saerens, Latinne & Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities: a
    simple procedure", Neural Comput 14(1):21-41, 2002), held back by a prior of ``prior_strength`` beats with the share
    of the training beats. The sum of N and S, and the other classes, stay as they are.

    Parameters
    ----------
    probabilities : ndarray of float, shape (beats, classes)
    records : array_like, shape (beats,)
        The recording of each beat; all its beats should be there, in time order if ``past_only``.
    prevalence : float
        Share of S among the N and S beats that the network was trained on, between 0 and 1.
    prior_strength : float
        How many beats of a recording weigh as much as the prior; above 0.
    past_only : bool
        Whether the share is that of the earlier beats, counted as they come, rather than that of all.

    Returns
    -------
    ndarray of float64, shape (beats, classes)
    """
    adapted = np.array(probabilities, dtype=np.float64)
    records = np.asarray(records)
    share_of_s = _share_so_far if past_only else _share_of_s
    for record in np.unique(records):
        rows = records == record
        either = adapted[rows, N] + adapted[rows, S]
        share = np.divide(adapted[rows, S], either, out=np.zeros_like(either), where=either > 0)
        share = share_of_s(share, either, prevalence, prior_strength)
        adapted[rows, N], adapted[rows, S] = either * (1 - share), either * share
    return adapted


def _share_of_s(
    share: NDArray[np.float64], either: NDArray[np.float64], prevalence: float, prior_strength: float
) -> NDArray[np.float64]:
    """Adapt the probability of S, given N or S, of the beats of one recording."""
    estimate, adapted = prevalence, share
    for _ in range(ITERATIONS):
        adapted = _with_prevalence(share, estimate, prevalence)
        before = estimate
        estimate = (either @ adapted + prior_strength * prevalence) / (either.sum() + prior_strength)
        if abs(estimate - before) < TOLERANCE:
            break
    return adapted


def _share_so_far(
    share: NDArray[np.float64], either: NDArray[np.float64], prevalence: float, prior_strength: float
) -> NDArray[np.float64]:
    """Adapt as :func:`_share_of_s`, each beat to those before it."""
    adapted = np.empty_like(share)
    of_s, of_either = prior_strength * prevalence, prior_strength
    for beat, (own, weight) in enumerate(zip(share, either, strict=True)):
        adapted[beat] = _with_prevalence(own, of_s / of_either, prevalence)
        of_s, of_either = of_s + weight * adapted[beat], of_either + weight
    return adapted


def _with_prevalence(share: NDArray[np.float64], estimate: float, prevalence: float) -> NDArray[np.float64]:
    """Move a share of S from the prevalence of the training beats to that of the recording, by Bayes' rule."""
    of_s = share * estimate / prevalence
    return of_s / (of_s + (1 - share) * (1 - estimate) / (1 - prevalence))


def scale_confidence(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Soften (temperature above 1) or sharpen probabilities; their order stays.

    Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", ICML 2017: the logits, here the
    logarithms of the probabilities, are divided by the temperature.
    """
    if temperature == 1:
        return np.asarray(probabilities, dtype=np.float64)
    scaled = np.power(np.maximum(probabilities, SMALLEST, dtype=np.float64), 1 / temperature)
    return scaled / scaled.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Find the temperature at which labelled beats are the likeliest.

    Parameters
    ----------
    probabilities : ndarray of float, shape (beats, classes)
        Of beats that were held out.
    labels : ndarray of int, shape (beats,)
        Positions in ``aami.CLASSES``.
    """

    def loss(log_temperature: float) -> float:
        scaled = scale_confidence(probabilities, float(np.exp(log_temperature)))
        return -float(np.mean(np.log(np.maximum(scaled[np.arange(len(labels)), labels], SMALLEST))))

    minimum = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-4})
    return round(float(np.exp(minimum.x)), 4)
