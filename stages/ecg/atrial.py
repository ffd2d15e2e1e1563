"""P waves: whether the same small deflection precedes the QRS complexes, beat after beat.

An early beat means something only where the atria beat regularly: in atrial fibrillation every second one is early.
Fibrillating atria leave no P wave, and what precedes one QRS complex is unlike what precedes the next.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import detrend

P_FROM_S = 0.30
P_TO_S = 0.06
"""Span before the R peak in which a P wave is looked for: PR intervals are 0.12 to 0.20 s, longer in a block."""

P_BEATS = 101
"""Beats of the local mean, in the middle of which the beat itself is: about a minute and a half."""

P_FLOOR = 0.01
"""Root mean square, in units of the signal, below which a segment counts as flat rather than as a wave."""


def p_waves(
    signal: NDArray[np.float64],
    fiducials: NDArray[np.int64],
    amplitudes: NDArray[np.float64],
    fs: float,
    past_only: bool = False,
) -> pd.DataFrame:
    """Compare what precedes each QRS complex with what precedes those around it.

    Segments are freed of their linear trend and divided by their norm, so neither drift nor amplitude matters.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
    fiducials : ndarray of int, shape (beats,)
        R peaks in time order.
    amplitudes : ndarray, shape (beats,)
        What each segment is divided by, the patient's R amplitude.
    fs : float
        Sampling rate of the signal, Hz.
    past_only : bool
        Whether the mean is that of the last 101 segments, this one included, rather than of those around.

    Returns
    -------
    DataFrame, one row a beat
        ``p_consistency``: norm of the mean of 101 segments; 1 where all are alike, near 0 in atrial fibrillation.
        ``p_similarity``: correlation of the segment of this beat with that mean, -1 to 1; low for a beat from another
        focus of the atria, or from none.
    """
    span = np.arange(-round(P_FROM_S * fs), -round(P_TO_S * fs))
    segments = signal[(fiducials[:, None] + span).clip(0, len(signal) - 1)] / amplitudes[:, None]
    segments = detrend(segments, axis=1)
    norm = np.linalg.norm(segments, axis=1, keepdims=True)
    segments = segments / (norm + P_FLOOR * np.sqrt(len(span)))
    if past_only:
        mean = pd.DataFrame(segments).rolling(P_BEATS, min_periods=1).mean().to_numpy()
    else:
        mean = uniform_filter1d(segments, P_BEATS, axis=0, mode="reflect")
    consistency = np.linalg.norm(mean, axis=1)
    similarity = np.einsum("bs,bs->b", segments, mean) / np.maximum(consistency, np.finfo(float).tiny)
    return pd.DataFrame({"p_consistency": consistency, "p_similarity": similarity})
