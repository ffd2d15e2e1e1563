"""RR intervals: what the time between beats tells of a beat."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RR_FEATURES = ("rr_pre", "rr_post", "rr_pre_over_post", "rr_pre_over_local", "rr_irregularity")
"""The columns of :func:`rr_intervals` that the networks see: natural logarithms of ratios, so free of heart rate."""

LOCAL_BEATS = 10
"""Intervals in the local mean (de Chazal et al. 2004 use ten beats)."""

IRREGULARITY_BEATS = 21
"""Intervals over which the irregularity is taken, this beat in the middle."""

SHORTEST_S = 1e-3
"""Bound of an interval before its logarithm is taken; two annotations are at least one sample apart."""


def rr_intervals(samples: NDArray[np.int64], fs: float) -> pd.DataFrame:
    """Compute the RR intervals around every beat and the features derived from them.

    All beats of the recording must be there, whatever is done with them later: leaving one out would merge two
    intervals. The first beat has no interval before it and the last none after it; the median of the recording stands
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
        In seconds: ``rr_pre_s`` and ``rr_post_s``, the intervals to the beat before and after; ``rr_local_s``, mean of
        the last ten ``rr_pre_s``, this one included; ``rr_median_s``, median of the recording. ``rr_imputed``. And
        ``RR_FEATURES``: the logarithms of ``rr_pre_s`` and ``rr_post_s`` over the median of the recording, of their
        ratio, and of ``rr_pre_s`` over ``rr_local_s``; ``rr_irregularity``, the median absolute change of the
        logarithm from one interval to the next over the 21 intervals around the beat. It is near 0 in sinus rhythm,
        with single ectopic beats too, and large in atrial fibrillation, where a short interval means nothing.

    Raises
    ------
    ValueError
        If there are fewer than two beats, so that there is no interval.

    Notes
    -----
    Ratios to the patient's own rhythm follow Mar et al., "Optimization of ECG classification by means of feature
    selection", IEEE Trans Biomed Eng 58(8):2168-2177 (2011).
    """
    if len(samples) < 2:
        raise ValueError(f"RR intervals need at least 2 beats, got {len(samples)}")
    intervals = np.maximum(np.diff(samples) / fs, SHORTEST_S)
    median = float(np.median(intervals))
    pre = np.concatenate([[median], intervals])
    post = np.concatenate([intervals, [median]])
    local = pd.Series(pre).rolling(LOCAL_BEATS, min_periods=1).mean().to_numpy()
    changes = pd.Series(np.abs(np.diff(np.log(pre), prepend=np.log(pre[0]))))
    irregularity = changes.rolling(IRREGULARITY_BEATS, center=True, min_periods=1).median().to_numpy()
    imputed = np.zeros(len(samples), dtype=bool)
    imputed[[0, -1]] = True
    return pd.DataFrame(
        {
            "rr_pre_s": pre,
            "rr_post_s": post,
            "rr_local_s": local,
            "rr_median_s": median,
            "rr_imputed": imputed,
            "rr_pre": np.log(pre / median),
            "rr_post": np.log(post / median),
            "rr_pre_over_post": np.log(pre / post),
            "rr_pre_over_local": np.log(pre / local),
            "rr_irregularity": irregularity,
        }
    )
