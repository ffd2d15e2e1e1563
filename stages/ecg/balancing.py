"""How the training beats are drawn when some classes are rare.

A draw names beats instead of copying them, so balancing costs neither disk nor memory. Validation and test beats are
never drawn: they are scored as nature mixed them.
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import RobustScaler

from stages.ecg import aami

Method = Literal["none", "class_weight", "undersample", "oversample", "smote", "augment"]


def draw_beats(
    labels: NDArray[np.integer],
    usable: NDArray[np.bool_],
    method: Method,
    ratio: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the beats of an epoch.

    Parameters
    ----------
    labels : ndarray of int, shape (beats,)
        Positions of the classes in ``aami.CLASSES``.
    usable : ndarray of bool, shape (beats,)
        Beats that may be drawn.
    method : str
        ``none``, ``class_weight``: every beat once. ``undersample``: no class has more than ``ratio`` times the beats
        of the largest. ``oversample``, ``smote``, ``augment``: no class that occurs has fewer; the copies beyond the
        first draw of each beat are repeats, get a ``partner`` from :func:`smote_partners`, or are ``altered`` on the
        fly by :func:`augment_beats`.
    ratio : float
    rng : Generator

    Returns
    -------
    DataFrame, one row a draw, in the order of the classes
        ``beat``: row of the beat; ``partner`` and ``mix``: the draw is ``beat + mix * (partner - beat)``, and the
        beat itself where ``mix`` is 0; ``altered``; ``extra``: a copy beyond the first draw.
    """
    rows = [np.flatnonzero((labels == label) & usable) for label in range(len(aami.CLASSES))]
    target = round(ratio * max(len(of_class) for of_class in rows))
    drawn: list[NDArray[np.intp]] = []
    extra: list[NDArray[np.bool_]] = []
    for of_class in rows:
        if method == "undersample" and len(of_class) > target:
            of_class = np.sort(rng.choice(of_class, target, replace=False))
        missing = target - len(of_class) if method in ("oversample", "smote", "augment") and len(of_class) else 0
        drawn += [of_class, rng.choice(of_class, missing)] if missing > 0 else [of_class]
        extra += (
            [np.zeros(len(of_class), bool), np.ones(missing, bool)] if missing > 0 else [np.zeros(len(of_class), bool)]
        )
    beat, is_extra = np.concatenate(drawn).astype(np.int32), np.concatenate(extra)
    return pd.DataFrame(
        {
            "beat": beat,
            "partner": beat,
            "mix": np.float32(0),
            "altered": is_extra & (method == "augment"),
            "extra": is_extra,
        }
    )


def smote_partners(
    draws: pd.DataFrame,
    signals: NDArray[np.float32],
    labels: NDArray[np.integer],
    neighbours: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Give every extra draw one of the nearest beats of its class as a partner and a random way towards it.

    SMOTE: Chawla, Bowyer, Hall & Kegelmeyer, J Artif Intell Res 16:321-357 (2002), with Euclidean distances between
    windows. A class of one beat has no neighbour and its draws stay repeats.

    Parameters
    ----------
    draws : DataFrame from :func:`draw_beats`
    signals : ndarray of float32, shape (beats, samples, channels)
    labels : ndarray of int, shape (beats,)
    neighbours : int
        Number of nearest beats among which a partner is chosen.
    rng : Generator
    """
    draws = draws.copy()
    flat = signals.reshape(len(signals), -1)
    for label in np.unique(labels[draws.loc[draws["extra"], "beat"]]):
        of_class = np.unique(draws.loc[labels[draws["beat"]] == label, "beat"])
        count = min(neighbours, len(of_class) - 1)
        if count < 1:
            continue
        chosen = (draws["extra"] & (labels[draws["beat"]] == label)).to_numpy()
        beats = draws.loc[chosen, "beat"].to_numpy()
        finder = NearestNeighbors(n_neighbors=count).fit(flat[of_class])
        unique, back = np.unique(beats, return_inverse=True)
        near = finder.kneighbors(flat[unique], n_neighbors=count + 1, return_distance=False)[:, 1:]
        draws.loc[chosen, "partner"] = of_class[near[back, rng.integers(0, count, len(beats))]].astype(np.int32)
        draws.loc[chosen, "mix"] = rng.random(len(beats), dtype=np.float32)
    return draws


def class_weights(labels: NDArray[np.integer], ratio: float) -> NDArray[np.float64]:
    """Weigh each class inversely to its number of beats.

    A class with fewer than ``ratio`` times the beats of the largest is weighed as if it had that many, so that a
    handful of beats cannot rule the loss. The mean weight of a beat is 1.

    Returns
    -------
    ndarray of float, shape (classes,)
    """
    counts = np.bincount(labels, minlength=len(aami.CLASSES))
    weights = 1.0 / np.maximum(counts, ratio * counts.max())
    return weights * counts.sum() / (weights * counts).sum()


def robust_scale(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the median and the robust standard deviation of each feature.

    Parameters
    ----------
    features : ndarray, shape (beats, features)
        Of the training fold alone.

    Returns
    -------
    center, scale : ndarray, shape (features,)
        ``scale`` is the interquartile range divided by that of a unit normal distribution, never 0.
    """
    scaler = RobustScaler(unit_variance=True).fit(features.astype(np.float64))
    return scaler.center_, scaler.scale_


def augment_beats(
    signals: NDArray[np.float32],
    rng: np.random.Generator,
    shift: float,
    scale: float,
    noise: float,
    wander: float,
) -> NDArray[np.float32]:
    """Change beats a little, each in its own way, all channels of a beat alike.

    Parameters
    ----------
    signals : ndarray of float32, shape (beats, samples, channels)
    rng : Generator
    shift : float
        Largest shift in time, samples.
    scale : float
        Standard deviation of the amplitude factor around 1.
    noise : float
        Standard deviation of white noise, in units of the signal.
    wander : float
        Standard deviation of the ends of a slow drift across the window, in units of the signal.

    Returns
    -------
    ndarray of float32, shape (beats, samples, channels)
    """
    beats, samples, _ = signals.shape
    shifts = np.rint(rng.uniform(-shift, shift, beats)).astype(int)
    positions = (np.arange(samples) - shifts[:, None]).clip(0, samples - 1)
    shifted = np.take_along_axis(signals, positions[:, :, None], axis=1)
    factors = rng.normal(1.0, scale, (beats, 1, 1))
    phase = np.sin(np.pi * (np.arange(samples) / samples + rng.random((beats, 1))))
    drift = rng.normal(0.0, 1.0, (beats, 1)) * wander * phase
    hiss = rng.normal(0.0, 1.0, (beats, samples)) * noise
    return (shifted * factors + (drift + hiss)[:, :, None]).astype(np.float32)
