"""Where the beats are in a signal that nobody has annotated."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt
from sleepecg import detect_heartbeats

from stages.ecg.beats import fill, refine_fiducials
from stages.ecg.quality import Problem, silent_runs, unreadable

SHORTEST_S = 3.0
"""The detector learns its thresholds from the first two seconds."""

BEAT_BAND_HZ = (1.0, 40.0)
QRS_BAND_HZ = (5.0, 20.0)

REACH_S = 0.15
"""The detector is up to so far from the peak of a wide QRS complex."""

SHORTEST_RR_S = 0.25
"""Two beats are no nearer, which is a rate of 240 per minute: one of them is a T wave or a second peak of the same QRS
complex. Pan & Tompkins have a refractory period of 0.20 s."""

LONG_GAP = 1.2
LOW_SHARE = 0.4
"""The search goes back where an RR interval is longer than ``LONG_GAP`` times the median of those around, and takes
what has ``LOW_SHARE`` of the energy of the QRS complexes around. Set on DS1."""

TOO_LOW = 0.2
"""Share of the energy of the beats around below which what was found is no beat: the detector takes P waves and noise
in a pause. Set on DS1."""

APART_S = 0.3
"""How far what is found in the search is from any other beat."""

WIDTH_S = 0.1
"""The energy, the rectified QRS band, is averaged over the length of a QRS complex."""

AROUND = 61
"""Beats whose median is the usual. Set on DS1."""


def detect_beats(signal: NDArray[np.float64], fs: float, problems: Sequence[Problem] = ()) -> NDArray[np.int64]:
    """Detect QRS complexes, at the largest deflection of each.

    The detector of Pan & Tompkins ("A real-time QRS detection algorithm", IEEE Trans Biomed Eng 32(3):230-236, 1985)
    as SleepECG has it, compiled. Their search back goes by the square of the slope, in which a wide low beat is next
    to nothing; one by the amplitude is added. After noise its thresholds may not come back, so where readable signal
    holds no beat it begins anew; what it then finds counts if it is not low beside the other beats, for in a real pause
    it would find noise.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        NaN where a sample is missing; there is no beat there.
    fs : float
        Sampling rate, Hz.
    problems : sequence of Problem
        What cannot be read. Beats are looked for there as well.

    Returns
    -------
    ndarray of int64, shape (beats,)
        Samples, increasing; none in a signal that is flat or too short.
    """
    valid = np.isfinite(signal)
    if len(signal) < SHORTEST_S * fs or not valid.any():
        return np.empty(0, dtype=np.int64)
    filled = fill(signal)
    heights = np.abs(_band(filled, fs, BEAT_BAND_HZ))
    beats = _peaks(filled, heights, fs)
    beats = beats[valid[beats]]
    readable = heights[beats[unreadable(problems, beats) == ""]]
    lowest = LOW_SHARE * np.median(readable) if len(readable) else 0.0
    for start, stop in silent_runs(problems, beats, len(signal), fs):
        anew = start + _peaks(filled[start:stop], heights[start:stop], fs)
        beats = np.concatenate([beats, anew[heights[anew] > lowest]])
    beats = _one_of_each(heights, beats, fs)
    beats = _gone_over(filled, beats, fs)
    return beats[valid[beats]]


def _peaks(signal: NDArray[np.float64], heights: NDArray[np.float64], fs: float) -> NDArray[np.int64]:
    """Run the detector, and move what it finds to the highest sample of each QRS complex."""
    begun = int((signal != signal[0]).argmax())  # from where SleepECG looks
    if not begun or len(signal) - begun < SHORTEST_S * fs:
        return np.empty(0, dtype=np.int64)
    peaks = np.asarray(detect_heartbeats(signal, fs), dtype=np.int64)
    return _one_of_each(heights, refine_fiducials(heights, peaks, round(REACH_S * fs)), fs)


def _band(signal: NDArray[np.float64], fs: float, band: tuple[float, float]) -> NDArray[np.float64]:
    return sosfiltfilt(butter(2, band, "bandpass", fs=fs, output="sos"), signal)


def _one_of_each(heights: NDArray[np.float64], peaks: NDArray[np.int64], fs: float) -> NDArray[np.int64]:
    """Of peaks that are nearer than beats can be, keep the higher one."""
    kept: list[int] = []
    for peak in np.unique(peaks).tolist():
        if kept and peak - kept[-1] < SHORTEST_RR_S * fs:
            kept[-1] = max(kept[-1], peak, key=lambda at: heights[at])
        else:
            kept.append(peak)
    return np.array(kept, dtype=np.int64)


def _gone_over(signal: NDArray[np.float64], beats: NDArray[np.int64], fs: float) -> NDArray[np.int64]:
    """Compare what was found with the beats around: leave out what is far too low, and search where a gap is long."""
    width = round(WIDTH_S * fs)
    qrs = np.abs(_band(signal, fs, QRS_BAND_HZ))
    energy = uniform_filter1d(qrs, width)
    of_beats = maximum_filter1d(energy, 2 * width + 1)[beats]
    usual = median_filter(of_beats, AROUND, mode="nearest")
    high = of_beats > TOO_LOW * usual
    beats, usual = beats[high], usual[high]
    if len(beats) < 2:
        return beats
    added = refine_fiducials(qrs, _searched(energy, usual, beats, fs), width // 2)
    return np.sort(np.concatenate([beats, added]))


def _searched(
    energy: NDArray[np.float64], usual: NDArray[np.float64], beats: NDArray[np.int64], fs: float
) -> NDArray[np.int64]:
    """Find what the detector passed over, also before the first beat and after the last."""
    apart, width = round(APART_S * fs), round(WIDTH_S * fs)
    ends = np.concatenate([[-apart], beats, [len(energy) + apart]])
    usual_gap = median_filter(np.diff(beats), AROUND, mode="nearest")
    longest = np.maximum(LONG_GAP * np.pad(usual_gap, 1, mode="edge"), 2 * apart)
    candidates, _ = find_peaks(energy, distance=max(1, 2 * width))
    taken: list[int] = []
    for gap in np.flatnonzero(np.diff(ends) > longest).tolist():
        inside = candidates[(candidates > ends[gap] + apart) & (candidates < ends[gap + 1] - apart)]
        inside = inside[energy[inside] > LOW_SHARE * usual[min(gap, len(usual) - 1)]]
        chosen: list[int] = []
        for candidate in inside[np.argsort(-energy[inside], kind="stable")].tolist():
            if all(abs(candidate - other) > apart for other in chosen):
                chosen.append(candidate)
        taken += chosen
    return np.array(taken, dtype=np.int64)
