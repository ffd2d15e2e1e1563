"""Where the beats are in a signal that nobody has annotated."""

import numpy as np
from numpy.typing import NDArray
from sleepecg import detect_heartbeats

from stages.ecg.beats import fill

SHORTEST_S = 3.0
"""The detector learns its thresholds from the first two seconds."""


def detect_beats(signal: NDArray[np.float64], fs: float) -> NDArray[np.int64]:
    """Detect QRS complexes.

    The detector of Pan & Tompkins ("A real-time QRS detection algorithm", IEEE Trans Biomed Eng 32(3):230-236, 1985)
    as SleepECG has it, compiled.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        NaN where a sample is missing; there is no beat there.
    fs : float
        Sampling rate, Hz.

    Returns
    -------
    ndarray of int64, shape (beats,)
        Samples, increasing; none in a signal that is flat or too short.
    """
    valid = np.isfinite(signal)
    if len(signal) < SHORTEST_S * fs or not valid.any() or np.ptp(signal[valid]) == 0:
        return np.empty(0, dtype=np.int64)
    found = np.asarray(detect_heartbeats(fill(signal), fs), dtype=np.int64)
    return found[valid[found]]
