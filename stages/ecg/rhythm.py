"""RR intervals: what the time between beats tells of a beat."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RR_FEATURES = ("rr_pre_over_usual", "rr_post_over_usual", "rr_pre_over_post", "rr_local_over_usual", "rr_irregularity")
"""The columns of :func:`rr_intervals` that the networks see: ratios, so free of heart rate."""

USUAL_QUANTILE = 0.75
"""The upper quartile of the intervals stands for the usual one: neither premature beats, were they half of all, nor
pauses move it much. A small network of RR features alone told S from N with it as well as with the median, and
better than with the mean (DS1, grouped by patient)."""

LOCAL_BEATS = 10
"""Intervals in the local mean (de Chazal et al. 2004 use ten beats)."""

IRREGULARITY_BEATS = 21
"""Intervals over which the irregularity is taken, this beat in the middle."""


def rr_intervals(samples: NDArray[np.int64], fs: float) -> pd.DataFrame:
    """Compute the RR intervals around every beat and the features derived from them.

    All beats of the recording must be there, whatever is done with them later: leaving one out would merge two
    intervals. The first beat has no interval before it and the last none after it; the usual interval stands in and
    ``rr_imputed`` says so.

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
        the last ten ``rr_pre_s``, this one included; ``rr_usual_s``, upper quartile of the recording.
        ``rr_imputed``. And ``RR_FEATURES``: the ratios of the first three to the last, and of the first to the second;
        ``rr_irregularity``, the median absolute change of the natural logarithm from one interval to the next over
        the 21 intervals around the beat. It is near 0 in sinus rhythm, with single ectopic beats too, and large in
        atrial fibrillation, where a short interval means nothing.

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
    intervals = np.diff(samples) / fs
    usual = float(np.quantile(intervals, USUAL_QUANTILE))
    pre = np.concatenate([[usual], intervals])
    post = np.concatenate([intervals, [usual]])
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
            "rr_usual_s": usual,
            "rr_imputed": imputed,
            "rr_pre_over_usual": pre / usual,
            "rr_post_over_usual": post / usual,
            "rr_pre_over_post": pre / post,
            "rr_local_over_usual": local / usual,
            "rr_irregularity": irregularity,
        }
    )
