"""Adapting probabilities to a new patient, without labels: how common S beats are differs from patient to patient."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.ecg import aami

N, S = (aami.CLASSES.index(name) for name in "NS")
TOLERANCE = 1e-8
ITERATIONS = 1000


def adapt_prevalence(
    probabilities: NDArray[np.floating], records: ArrayLike, prevalence: float, prior_beats: float
) -> NDArray[np.float32]:
    """Divide what a network gave to N and S anew, for the share of S beats that the recording itself suggests.

    The share is estimated by expectation maximisation from the probabilities of all beats of the recording (Saerens,
    Latinne & Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities: a simple procedure",
    Neural Comput 14(1):21-41, 2002), held back by a prior of ``prior_beats`` beats with the share of the training
    beats. The sum of N and S, and the other classes, stay as they are.

    Parameters
    ----------
    probabilities : ndarray of float, shape (beats, classes)
    records : array_like, shape (beats,)
        The recording of each beat; all its beats should be there.
    prevalence : float
        Share of S among the N and S beats that the network was trained on, between 0 and 1.
    prior_beats : float
        How many beats of a recording it takes to believe it as much as the training beats; above 0.

    Returns
    -------
    ndarray of float32, shape (beats, classes)
    """
    adapted = np.array(probabilities, dtype=np.float64)
    records = np.asarray(records)
    for record in np.unique(records):
        rows = records == record
        either = adapted[rows, N] + adapted[rows, S]
        share = np.divide(adapted[rows, S], either, out=np.zeros_like(either), where=either > 0)
        share = _share_of_s(share, either, prevalence, prior_beats)
        adapted[rows, N], adapted[rows, S] = either * (1 - share), either * share
    return adapted.astype(np.float32)


def _share_of_s(
    share: NDArray[np.float64], either: NDArray[np.float64], prevalence: float, prior_beats: float
) -> NDArray[np.float64]:
    """Adapt the probability of S, given N or S, of the beats of one recording."""
    here, adapted = prevalence, share
    for _ in range(ITERATIONS):
        of_s = share * here / prevalence
        of_n = (1 - share) * (1 - here) / (1 - prevalence)
        adapted = of_s / (of_s + of_n)
        before, here = here, (either @ adapted + prior_beats * prevalence) / (either.sum() + prior_beats)
        if abs(here - before) < TOLERANCE:
            break
    return adapted
