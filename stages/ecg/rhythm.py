"""RR intervals: what the time between beats tells of a beat."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RR_FEATURES = ("rr_pre_minus_mean", "rr_post_minus_mean", "rr_pre_over_post", "rr_local_minus_mean")
"""The columns of :func:`rr_intervals` that the networks see."""

LOCAL_BEATS = 10
"""Number of preceding RR intervals in the local mean (de Chazal et al. 2004 use ten beats)."""


def rr_intervals(samples: NDArray[np.int64], fs: float) -> pd.DataFrame:
    """Compute the RR intervals around every beat and the features derived from them.

    All beats of the recording must be there, whatever is done with them later: leaving one out would merge two
    intervals. The first beat has no interval before it and the last none after it; the mean of the recording stands
    in and ``rr_imputed`` says so.

    Parameters
    ----------
    samples : ndarray of int, shape (beats,)
        Fiducials in time order.
    fs : float
        Sampling rate, Hz.

    Returns
    -------
    DataFrame, one row a beat
        ``rr_pre_s`` and ``rr_post_s``: intervals to the beat before and after, s; ``rr_local_s``: mean of the last
        ten ``rr_pre_s``, this one included; ``rr_mean_s``: mean of the recording; ``rr_imputed``; and ``RR_FEATURES``,
        differences in s. The features follow Mar et al., "Optimization of ECG classification by means of feature
        selection", IEEE Trans Biomed Eng 58(8):2168-2177 (2011): what counts is how early a beat is for its patient.

    Raises
    ------
    ValueError
        If there are fewer than two beats, so that there is no interval.
    """
    if len(samples) < 2:
        raise ValueError(f"RR intervals need at least 2 beats, got {len(samples)}")
    intervals = np.diff(samples) / fs
    mean = float(intervals.mean())
    pre = np.concatenate([[mean], intervals])
    post = np.concatenate([intervals, [mean]])
    local = pd.Series(pre).rolling(LOCAL_BEATS, min_periods=1).mean().to_numpy()
    imputed = np.zeros(len(samples), dtype=bool)
    imputed[[0, -1]] = True
    return pd.DataFrame(
        {
            "rr_pre_s": pre,
            "rr_post_s": post,
            "rr_local_s": local,
            "rr_mean_s": mean,
            "rr_imputed": imputed,
            "rr_pre_minus_mean": pre - mean,
            "rr_post_minus_mean": post - mean,
            "rr_pre_over_post": pre / post,
            "rr_local_minus_mean": local - mean,
        }
    )
