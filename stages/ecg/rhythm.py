"""RR intervals: what the time between beats tells of a beat."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LOCAL_BEATS = 10
"""Intervals in the local mean (de Chazal et al. 2004 use ten beats)."""


def rr_intervals(
    samples: NDArray[np.int64], fs: float, past_only: bool = False, intact: NDArray[np.bool_] | None = None
) -> pd.DataFrame:
    """Compute the RR intervals around every beat and the features derived from them.

    All beats of the recording must be there, whatever is done with them later: leaving one out would merge two
    intervals. The first beat has no interval before it and the last none after it; the mean interval stands in (with
    ``past_only`` the first interval for the former) and ``rr_imputed`` says so.

    Parameters
    ----------
    samples : ndarray of int, shape (beats,)
        Fiducials in time order.
    fs : float
        Sampling rate, Hz.
    past_only : bool
        Whether the mean interval is that of the beats up to each one rather than of the recording.
    intact : ndarray of bool, shape (beats - 1,), optional
        Whether all of the signal between a beat and the next could be read; else beats may be missing there, and the
        mean of the intact intervals stands in. By default all are.

    Returns
    -------
    DataFrame, one row a beat
        In seconds: ``rr_pre_s`` and ``rr_post_s``, the intervals to the beat before and after; ``rr_local_s``, mean of
        the last ten ``rr_pre_s``, this one included; ``rr_mean_s``, the mean interval. ``rr_imputed``.
        And ``RR_FEATURES``: natural logarithms of the ratios that their names say.

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
    intact = np.ones(len(intervals), dtype=bool) if intact is None else intact
    mean = _mean_intervals(intervals, intact, past_only)
    intervals = np.where(intact, intervals, mean[1:])
    pre = np.concatenate([mean[:1], intervals])
    post = np.concatenate([intervals, mean[-1:]])
    local = pd.Series(pre).rolling(LOCAL_BEATS, min_periods=1).mean().to_numpy()
    known = np.concatenate([[False], intact, [False]])
    imputed = ~(known[:-1] & known[1:])
    return pd.DataFrame(
        {
            "rr_pre_s": pre,
            "rr_post_s": post,
            "rr_local_s": local,
            "rr_mean_s": mean,
            "rr_imputed": imputed,
            "log_rr_pre_over_mean": np.log(pre / mean),
            "log_rr_post_over_mean": np.log(post / mean),
            "log_rr_pre_over_post": np.log(pre / post),
            "log_rr_pre_over_local": np.log(pre / local),
        }
    )


def _mean_intervals(intervals: NDArray[np.float64], intact: NDArray[np.bool_], past_only: bool) -> NDArray[np.float64]:
    """Give the mean of the intact intervals for each beat: of all, or up to it; of any where none is intact."""
    usual = intervals[intact] if intact.any() else intervals
    if not past_only:
        return np.full(len(intervals) + 1, usual.mean())
    sums, counts = np.cumsum(np.where(intact, intervals, 0.0)), np.cumsum(intact)
    return np.concatenate([usual[:1], np.where(counts > 0, sums / np.maximum(counts, 1), usual[0])])
