"""Stretches of a signal in which no beat can be classified: a wrong answer is worse than none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import butter, correlate, sosfiltfilt

from stages.ecg.beats import FLAT_MV, fill

NO_BEAT = "no beat found"
REASONS = ("missing", "flat", "saturated", "noisy", NO_BEAT)

FLAT_S = 2.0
"""A signal that stays within ``FLAT_MV`` for so long is that of no electrode: a pause still shows P waves and noise."""

SATURATED_S = 0.05
"""A QRS complex touches its extreme for less; an amplifier at its limit stays there."""

MARGIN_S = 0.5
"""Put around what is missing or saturated, for filters and windows reach into it."""

NOISE_WINDOW_S = 10.0
"""Length of the windows whose quality is measured, as in Clifford et al., "Signal quality indices and data fusion for
determining clinical acceptability of electrocardiograms", Physiol Meas 33(9):1419-1433 (2012)."""

QRS_BAND_HZ = (5.0, 15.0)
MUSCLE_BAND_HZ = (25.0, 100.0)

BETWEEN_BEATS = 0.19
"""Most that a readable window has of the ratio of median to 97th percentile of the rectified QRS band. QRS complexes
are short, so the median is that between them. Set on DS1."""

MUSCLE = 0.05
"""Most that a readable window has of the ratio of the median of the rectified muscle band to the 98th percentile of the
signal. Set on DS1."""

SILENT_S = 10.0
"""Of readable signal without a beat: longer than pauses are, so that the detector is more likely to have failed."""

PERIODIC = 0.6
PERIODS_S = (0.2, 1.5)
"""A window whose correlation with itself, a period later, is at least so high shows a rhythm and not noise: ventricular
tachycardia and flutter leave no quiet between their complexes."""

BEFORE_QRS_S = (-0.25, -0.06)
NEIGHBOURS = 11
RESTLESS = 0.18
"""Most that the signal before a readable QRS complex differs from that before those around it: standard deviation, in
units of the median R wave, mean of 11 beats. Electrodes that move make waves like QRS complexes, but anywhere. The
deviation from the mean beat tells more than the signal itself: that of a tachycardia is large as well, but the same
from beat to beat. Set on DS1."""

TINY = 1e-9


@dataclass(frozen=True)
class Problem:
    """A stretch that cannot be read.

    Attributes
    ----------
    start, stop : int
        First sample, and sample after the last.
    reason : str
        One of ``REASONS``.
    """

    start: int
    stop: int
    reason: str


def find_problems(signal: NDArray[np.float64], fs: float) -> list[Problem]:
    """Find the stretches that cannot be read; they may overlap.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        mV, NaN where a sample is missing.
    fs : float
        Sampling rate, Hz.

    Returns
    -------
    list of Problem
        In time order of each reason.
    """
    missing = ~np.isfinite(signal)
    if missing.all():
        return [Problem(0, len(signal), "missing")]
    filled = fill(signal)
    flat = _flat(filled, fs, missing)
    marks = {"missing": missing, "flat": flat, "saturated": _saturated(filled, fs) & ~missing & ~flat}
    margin = round(MARGIN_S * fs)
    problems = [
        Problem(max(0, start - margin), min(len(signal), stop + margin), reason)
        for reason, mark in marks.items()
        for start, stop in _runs(mark)
    ]
    bad = np.logical_or.reduce(list(marks.values()))
    return problems + [problem for problem in _noisy(filled, fs) if not bad[problem.start : problem.stop].all()]


def unreadable(problems: Sequence[Problem], samples: NDArray[np.int64]) -> NDArray[np.str_]:
    """Name for each sample why it cannot be read; an empty string where it can."""
    reasons = np.full(len(samples), "", dtype=f"<U{max(map(len, REASONS))}")
    for problem in reversed(problems):
        reasons[(samples >= problem.start) & (samples < problem.stop)] = problem.reason
    return reasons


def unreadable_beats(
    problems: Sequence[Problem],
    samples: NDArray[np.int64],
    windows: NDArray[np.float32],
    times_s: NDArray[np.float64],
) -> NDArray[np.str_]:
    """Name for each beat why it cannot be classified: it lies in a problem, or the signal before it is restless.

    Parameters
    ----------
    problems : sequence of Problem
    samples : ndarray of int64, shape (beats,)
        Fiducials in time order.
    windows : ndarray of float32, shape (beats, samples, channels)
        The first channel is taken, in any unit.
    times_s : ndarray, shape (samples,)
        Of the samples of a window, from the fiducial.

    Returns
    -------
    ndarray of str, shape (beats,)
        Empty where the beat can be classified.
    """
    reasons = unreadable(problems, samples)
    readable = np.flatnonzero(reasons == "")
    before = (times_s >= BEFORE_QRS_S[0]) & (times_s < BEFORE_QRS_S[1])
    if len(readable) and before.any():
        r_wave = np.median(np.abs(windows[:, np.abs(times_s).argmin(), 0]))
        restlessness = _restlessness(windows[readable][:, before, 0]) / max(r_wave, TINY)
        reasons[readable[restlessness > RESTLESS]] = "noisy"
    return reasons


def _restlessness(segments: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute what ``RESTLESS`` bounds, in the unit of the segments, of shape (beats, samples)."""
    level = segments.astype(np.float64) - segments.mean(axis=1, keepdims=True)
    unlike = level - uniform_filter1d(level, NEIGHBOURS, axis=0, mode="nearest")
    return uniform_filter1d(unlike.std(axis=1), NEIGHBOURS, mode="nearest")


def intact_intervals(problems: list[Problem], samples: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell for each sample but the last whether all can be read from there to the next."""
    intact = np.ones(max(0, len(samples) - 1), dtype=bool)
    for problem in problems:
        intact &= (samples[:-1] >= problem.stop) | (samples[1:] < problem.start)
    return intact


def silent_runs(
    problems: Sequence[Problem], beats: NDArray[np.int64], length: int, fs: float
) -> Iterator[tuple[int, int]]:
    """Give first sample, and sample after the last, of all that can be read and holds no beat for longer than a pause.

    Parameters
    ----------
    problems : sequence of Problem
    beats : ndarray of int64, shape (beats,)
        Their samples, increasing.
    length : int
        Samples of the signal.
    fs : float
        Sampling rate, Hz.
    """
    margin = round(MARGIN_S * fs)
    for start, stop in _readable(problems, length):
        inside = beats[(beats >= start) & (beats < stop)]
        begins, ends = [start, *(inside + margin).tolist()], [*(inside - margin).tolist(), stop]
        yield from ((first, end) for first, end in zip(begins, ends, strict=True) if end - first > SILENT_S * fs)


def find_silence(problems: Sequence[Problem], beats: NDArray[np.int64], length: int, fs: float) -> list[Problem]:
    """Find where the signal seems readable and yet no beat was found; parameters as for :func:`silent_runs`."""
    return [Problem(start, stop, NO_BEAT) for start, stop in silent_runs(problems, beats, length, fs)]


def _readable(problems: Sequence[Problem], length: int) -> Iterator[tuple[int, int]]:
    """Give first sample, and sample after the last, of each run of a signal that no problem touches."""
    begun = 0
    for problem in sorted(problems, key=lambda one: one.start):
        if problem.start > begun:
            yield begun, problem.start
        begun = max(begun, problem.stop)
    if length > begun:
        yield begun, length


def _flat(signal: NDArray[np.float64], fs: float, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark every sample of the windows that show no deflection, unless what was filled in makes them so."""
    width = min(round(FLAT_S * fs), len(signal))
    span = maximum_filter1d(signal, width, mode="nearest") - minimum_filter1d(signal, width, mode="nearest")
    mark = maximum_filter1d((span < FLAT_MV).astype(np.uint8), width, mode="nearest").astype(bool) & ~missing
    for start, stop in _runs(mark):
        mark[start:stop] = stop - start >= width
    return mark


def _saturated(signal: NDArray[np.float64], fs: float) -> NDArray[np.bool_]:
    low, high = signal.min(), signal.max()
    mark = np.zeros(len(signal), dtype=bool)
    for limit in {low, high}:
        for start, stop in _runs(signal == limit):
            mark[start:stop] |= stop - start >= max(3, SATURATED_S * fs)
    return mark


def _noisy(signal: NDArray[np.float64], fs: float) -> Iterator[Problem]:
    """Find the windows in which too much goes on between the QRS complexes."""
    width = round(NOISE_WINDOW_S * fs)
    if len(signal) < width:
        return
    between, muscle = noise_indices(signal, fs, width)
    for number in np.flatnonzero((between > BETWEEN_BEATS) | (muscle > MUSCLE)).tolist():
        start, stop = number * width, (number + 1) * width
        if muscle[number] > MUSCLE or not _is_periodic(signal[start:stop], fs):
            yield Problem(start, len(signal) if number == len(between) - 1 else stop, "noisy")


def _is_periodic(signal: NDArray[np.float64], fs: float) -> bool:
    steady = sosfiltfilt(butter(2, QRS_BAND_HZ, "bandpass", fs=fs, output="sos"), signal)
    first, last = (round(period * fs) for period in PERIODS_S)
    similarity = correlate(steady, steady, mode="full", method="fft")[len(steady) - 1 :]
    unbiased = similarity[first:last] / (len(steady) - np.arange(first, last))
    return bool(unbiased.max() > PERIODIC * similarity[0] / len(steady))


def noise_indices(
    signal: NDArray[np.float64], fs: float, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the ratios that ``BETWEEN_BEATS`` and ``MUSCLE`` bound, for each whole window of ``width`` samples."""

    def windows(low: float, high: float) -> NDArray[np.float64]:
        band = butter(2, (low, min(high, 0.45 * fs)), "bandpass", fs=fs, output="sos")
        filtered = np.abs(sosfiltfilt(band, signal))
        return filtered[: len(signal) // width * width].reshape(-1, width)

    qrs, muscle, all_of_it = windows(*QRS_BAND_HZ), windows(*MUSCLE_BAND_HZ), windows(1.0, 40.0)
    between = np.median(qrs, axis=1) / np.maximum(np.percentile(qrs, 97, axis=1), TINY)
    return between, np.median(muscle, axis=1) / np.maximum(np.percentile(all_of_it, 98, axis=1), TINY)


def _runs(mark: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mark, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
