"""Adapting probabilities to the recording that beats come from, without labels.

What a network gives to a beat is moved towards what it gives to the beats of the same recording that are most like it;
then N and S are divided anew for the share of S beats that the recording suggests; then confidence is scaled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array

from stages.ecg import aami

N, S = (aami.CLASSES.index(name) for name in "NS")
TOLERANCE = 1e-8
ITERATIONS = 1000

PULL, PASSES = 0.98, 100
"""How far each pass moves a beat towards those alike, and how many passes there are. In cross-validation on DS1, mean
of a CNN and three RNNs with 5 beats alike, the F1 of V rises from 0.906 to 0.930 and that of S from 0.785 to 0.837."""

PAST_PULL, PAST_PASSES = 0.5, 1
"""The same where only earlier beats count. Each pass then leads further back, and many would end at the first beat of
the recording. On the same probabilities the F1 of V rises from 0.906 to 0.917 and that of S from 0.784 to 0.794."""

RHYTHM_WEIGHT = 0.5
"""What a difference of rhythm counts beside one of shape. On the same probabilities the F1 of V is 0.925 and that of S
0.821 with shape alone, and 0.930 and 0.837 so; 0.8 is level, 0.3 is worse."""

ROWS_AT_ONCE = 2048
"""Beats that are correlated with all others of their recording at a time, so that memory stays small."""

TEMPERATURES = (0.1, 10.0)
SMALLEST = 1e-12


@dataclass(frozen=True)
class Adaptation:
    """How probabilities are adapted to a recording.

    Attributes
    ----------
    alike_beats : int or None
        Number of neighbours of a beat for :func:`share_among_alike`; None leaves that out.
    prior_beats : float or None
        For :func:`adapt_prevalence`; None leaves that out.
    prevalence_of_s : float
        Share of S among the N and S beats that the network was trained on.
    past_only : bool
        Whether a beat may be compared with earlier ones only.
    temperature : float
        For :func:`scale_confidence`.
    """

    alike_beats: int | None
    prior_beats: float | None
    prevalence_of_s: float
    past_only: bool
    temperature: float = 1.0


class Adapter:
    """Adapts probabilities of the same beats any number of times; which are alike is found out once.

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
        self.alike: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        if (count := adaptation.alike_beats) is not None:
            past = adaptation.past_only
            self.alike = (
                nearest_beats(kinds_of(signals, rhythm), self.records, count, past),
                nearest_beats(rhythm.astype(np.float64), self.records, count, past),
            )

    def __call__(self, probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
        """Give the adapted probabilities, shape (beats, classes)."""
        how, adapted = self.adaptation, np.asarray(probabilities)
        if self.alike is not None:
            adapted = share_among_alike(adapted, *self.alike, how.past_only)
        if how.prior_beats is not None:
            adapted = adapt_prevalence(adapted, self.records, how.prevalence_of_s, how.prior_beats, how.past_only)
        return scale_confidence(adapted, how.temperature).astype(np.float32)


def shapes_of(signals: NDArray[np.float32]) -> NDArray[np.float32]:
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


def kinds_of(signals: NDArray[np.float32], rhythm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join shape and rhythm, so that the nearest beats look alike and come alike.

    Parameters
    ----------
    signals : ndarray of float32, shape (beats, samples, channels)
    rhythm : ndarray of float32, shape (beats, features)
        Logarithms of ratios and correlations, of the same order as the shapes.

    Returns
    -------
    ndarray of float32, shape (beats, samples + features)
    """
    return np.hstack([shapes_of(signals), RHYTHM_WEIGHT * rhythm])


def nearest_beats(
    vectors: NDArray[np.floating], records: ArrayLike, count: int, past_only: bool = False
) -> NDArray[np.int64]:
    """Find the beats of the same recording that are most like each beat.

    Parameters
    ----------
    vectors : ndarray of float, shape (beats, dimensions)
        What describes a beat; the Euclidean distance is compared.
    records : array_like, shape (beats,)
    count : int
    past_only : bool

    Returns
    -------
    ndarray of int, shape (beats, count)
        Rows of the beats, in no order; where a recording has fewer, the row of the beat itself fills up.
    """
    records = np.asarray(records)
    nearest = np.repeat(np.arange(len(vectors))[:, None], count, axis=1)
    for record in np.unique(records):
        rows = np.flatnonzero(records == record)
        mine = vectors[rows]
        half = np.einsum("bd,bd->b", mine, mine) / 2
        found = min(count, len(rows) - 1)
        for first in range(0, len(rows) if found else 0, ROWS_AT_ONCE):
            here = np.arange(first, min(first + ROWS_AT_ONCE, len(rows)))
            likeness = mine[here] @ mine.T - half  # less half the squared distance, but for a constant of the row
            hidden = np.arange(len(rows)) >= here[:, None] if past_only else np.arange(len(rows)) == here[:, None]
            likeness[hidden] = -np.inf
            best = np.argpartition(-likeness, found - 1, axis=1)[:, :found]
            usable = np.isfinite(np.take_along_axis(likeness, best, axis=1))
            nearest[rows[here], :found] = np.where(usable, rows[best], rows[here][:, None])
    return nearest


def share_among_alike(
    probabilities: NDArray[np.floating],
    of_kind: NDArray[np.int64],
    of_rhythm: NDArray[np.int64],
    past_only: bool = False,
) -> NDArray[np.float64]:
    """Judge beats together with those alike.

    Beats that look alike and come alike have one origin, and many of them are judged better than one. The N and S beats
    of a patient may have the same shape: their sum is shared among the beats of one kind, and how it divides into N and
    S among those that come in the same rhythm, however they look.

    Parameters
    ----------
    probabilities : ndarray of float, shape (beats, classes)
    of_kind, of_rhythm : ndarray of int, shape (beats, count)
        From :func:`nearest_beats`.
    past_only : bool
        Whether these are earlier beats.

    Returns
    -------
    ndarray of float64, shape (beats, classes)
    """
    own = np.asarray(probabilities, dtype=np.float64)
    either = own[:, N] + own[:, S]
    share = np.divide(own[:, S], either, out=np.zeros_like(either), where=either > 0)
    shared = own.copy()
    shared[:, N], shared[:, S] = either, 0
    pull, passes = (PAST_PULL, PAST_PASSES) if past_only else (PULL, PASSES)
    shared = propagate(shared, of_kind, pull, passes)
    share = propagate(share, of_rhythm, pull, passes)
    either = shared[:, N].copy()
    shared[:, N], shared[:, S] = either * (1 - share), either * share
    return shared


def propagate(values: NDArray[np.float64], alike: NDArray[np.int64], pull: float, passes: int) -> NDArray[np.float64]:
    """Spread values over a graph of beats alike, none of which forgets its own.

    The iteration of Zhou, Bousquet, Lal, Weston & Schoelkopf, "Learning with local and global consistency", NIPS 2003,
    with the mean of the neighbours in the place of their symmetric weights, and probabilities in that of labels.

    Parameters
    ----------
    values : ndarray of float64, shape (beats,) or (beats, columns)
    alike : ndarray of int, shape (beats, count)
    pull : float
        How far a pass moves a beat towards those alike, 0 to 1.
    passes : int

    Returns
    -------
    ndarray of float64, shape of ``values``
    """
    beats, count = alike.shape
    starts = np.arange(0, beats * count + 1, count)
    mean = csr_array((np.full(beats * count, 1 / count), alike.ravel(), starts), shape=(beats, beats))
    spread = values
    for _ in range(passes):
        spread = pull * (mean @ spread) + (1 - pull) * values
    return spread


def adapt_prevalence(
    probabilities: NDArray[np.floating],
    records: ArrayLike,
    prevalence: float,
    prior_beats: float,
    past_only: bool = False,
) -> NDArray[np.float64]:
    """Divide what a network gave to N and S anew, for the share of S beats that the recording itself suggests.

    The share is estimated by expectation maximisation from the probabilities of all beats of the recording (Saerens,
    Latinne & Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities: a simple procedure",
    Neural Comput 14(1):21-41, 2002), held back by a prior of ``prior_beats`` beats with the share of the training
    beats. The sum of N and S, and the other classes, stay as they are.

    Parameters
    ----------
    probabilities : ndarray of float, shape (beats, classes)
    records : array_like, shape (beats,)
        The recording of each beat; all its beats should be there, in time order if ``past_only``.
    prevalence : float
        Share of S among the N and S beats that the network was trained on, between 0 and 1.
    prior_beats : float
        How many beats of a recording it takes to believe it as much as the training beats; above 0.
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
        share = share_of_s(share, either, prevalence, prior_beats)
        adapted[rows, N], adapted[rows, S] = either * (1 - share), either * share
    return adapted


def _share_of_s(
    share: NDArray[np.float64], either: NDArray[np.float64], prevalence: float, prior_beats: float
) -> NDArray[np.float64]:
    """Adapt the probability of S, given N or S, of the beats of one recording."""
    here, adapted = prevalence, share
    for _ in range(ITERATIONS):
        adapted = _with_prevalence(share, here, prevalence)
        before, here = here, (either @ adapted + prior_beats * prevalence) / (either.sum() + prior_beats)
        if abs(here - before) < TOLERANCE:
            break
    return adapted


def _share_so_far(
    share: NDArray[np.float64], either: NDArray[np.float64], prevalence: float, prior_beats: float
) -> NDArray[np.float64]:
    """Adapt as :func:`_share_of_s`, each beat to those before it."""
    adapted = np.empty_like(share)
    of_s, of_either = prior_beats * prevalence, prior_beats
    for beat, (own, weight) in enumerate(zip(share, either, strict=True)):
        adapted[beat] = _with_prevalence(own, of_s / of_either, prevalence)
        of_s, of_either = of_s + weight * adapted[beat], of_either + weight
    return adapted


def _with_prevalence(share: NDArray[np.float64], here: float, prevalence: float) -> NDArray[np.float64]:
    of_s = share * here / prevalence
    return of_s / (of_s + (1 - share) * (1 - here) / (1 - prevalence))


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

    found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-4})
    return round(float(np.exp(found.x)), 4)
