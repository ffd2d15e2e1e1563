"""Template-swap augmentation: training beats beside the median beats of other patients.

The networks see each beat beside the median beat of its recording. The patients of a training set show few pairs of a V
beat and a normal one, and a network remembers them: it takes V beats that are low and narrow for S beats. Wide or
narrow, high or low mean little; what counts is the difference from the median beat. Some N and S beats are shown beside
wide median beats as well, else the wide normal beats of a bundle branch block would be taken for V beats.
"""

import numpy as np
from numpy.typing import NDArray

from stages.ecg import aami

N, S, V = (aami.CLASSES.index(name) for name in "NSV")

AMPLITUDES = (0.4, 1.5)
"""Smallest and largest factor by which a V beat is scaled; their logarithms are uniform."""

WIDE = 0.2
"""How many N and S beats have the median beat swapped, as a share of the share of V beats."""

LEAST_PEAK = 0.1
"""Below this, in units of the signal, a window has no peak to be scaled by."""


def swap_templates(
    signals: NDArray[np.float32], labels: NDArray[np.integer], share: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Show some beats of a batch as another patient might have them.

    A V beat comes from a focus of its own: it is scaled and put beside the median beat of another beat of the batch,
    most often of another patient. An N or S beat differs from its median beat by little: it keeps that difference
    from a median beat which has the shape of a V beat of the batch, as in a bundle branch block.

    Parameters
    ----------
    signals : ndarray of float32, shape (beats, samples, 2)
        The beat, and the beat less the median beat of its recording. Windows of one channel stay as they are: they
        show no median beat.
    labels : ndarray of int, shape (beats,)
        Positions in ``aami.CLASSES``.
    share : float
        Of the V beats, 0 to 1.
    rng : Generator

    Returns
    -------
    ndarray of float32, shape (beats, samples, 2)
    """
    if signals.shape[2] < 2:
        return signals
    beat, difference = signals[:, :, 0], signals[:, :, 1]
    median = beat - difference
    v, wide = (labels == V) & (rng.random(len(beat)) < share), np.isin(labels, (N, S))
    wide &= rng.random(len(beat)) < WIDE * share
    smallest, largest = np.log(AMPLITUDES)
    factors = np.exp(rng.uniform(smallest, largest, (len(beat), 1))).astype(np.float32)
    swapped = np.where(v[:, None], beat * factors, beat)
    median = np.where(v[:, None], rng.permutation(median), median)
    if len(shapes := beat[labels == V]):
        peaks = np.abs(shapes).max(axis=1, keepdims=True)
        shapes = shapes / np.where(peaks < LEAST_PEAK, 1, peaks)
        median = np.where(wide[:, None], rng.choice(shapes, len(beat)), median)
        swapped = np.where(wide[:, None], median + difference, swapped)
    return np.stack([swapped, swapped - median], axis=2)
