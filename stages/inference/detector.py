"""The beat detector compared with annotations, for detect and robustness."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg.annotations import Annotations
from stages.ecg.detection import detect_beats
from stages.ecg.quality import find_problems
from stages.scores.bxb import compare


def detector_counts(reference: Annotations, signal: NDArray[np.float64], fs: float, start_s: float) -> pd.DataFrame:
    """Compare the beats that the detector finds in a signal with the reference; all are called N.

    Parameters
    ----------
    reference : Annotations
        All of them, not the beats alone: what is found in flutter counts for nothing.
    signal : ndarray, shape (samples,)
        mV, NaN where a sample is missing.
    fs : float
        Sampling rate, Hz.
    start_s : float
        Where scoring starts.

    Returns
    -------
    DataFrame
        As :func:`stages.scores.bxb.compare` counts them.
    """
    beats = detect_beats(signal, fs, find_problems(signal, fs))
    called = Annotations.of_beats(beats, np.full(len(beats), "N"))
    return compare(reference, called, fs, len(signal), start_s)
