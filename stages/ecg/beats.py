"""Heartbeats cut from a recording: the one path from a signal to what the networks see.

Training, evaluation and prediction all come through :func:`cut_beats`, so a beat looks the same to each of them.
"""

from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import resample_poly

from stages.ecg import aami
from stages.ecg.atrial import p_waves
from stages.ecg.beat_format import KACHUEE_HZ, KACHUEE_SAMPLES, BeatFormat
from stages.ecg.recordings import RecordError, Recording
from stages.ecg.rhythm import rr_intervals

KACHUEE_SEGMENT_S = 10.0
KACHUEE_RR = 1.2

FLAT_MV = 0.01
"""A window whose samples all lie within this span holds no beat that anyone could see: 2 adu at 200 adu/mV."""

LARGEST_DENOMINATOR = 100_000
"""Of the fraction by which a signal is resampled; half an hour is then right to 0.2 ms at any sampling rate."""


def cut_beats(
    recording: Recording, fmt: BeatFormat, intact: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Cut every beat of a recording.

    Parameters
    ----------
    recording : Recording
    fmt : BeatFormat
    intact : ndarray of bool, shape (beats - 1,), optional
        Which RR intervals are to be believed, see :func:`~stages.ecg.rhythm.rr_intervals`.

    Returns
    -------
    signals : ndarray of float32, shape (beats, samples, channels)
    table : DataFrame, one row a beat
        ``record``, ``lead``, ``sample`` (annotated, at the rate of the recording), ``time_s``, ``symbol``, ``aami``,
        the columns of :func:`~stages.ecg.rhythm.rr_intervals` and of :func:`~stages.ecg.atrial.p_waves` and the
        flags ``edge`` (the window reaches past an end of the recording and repeats its last sample there),
        ``invalid`` (samples were missing and filled in between their neighbours) and ``flat`` (no deflection to see).

    Raises
    ------
    RecordError
        If the recording has fewer than two beats.
    """
    if len(recording.samples) < 2:
        raise RecordError(f"record {recording.record}: RR intervals need 2 beats, it has {len(recording.samples)}")
    rhythm = rr_intervals(recording.samples, recording.fs, fmt.past_only, intact)
    missing = ~np.isfinite(recording.signal)
    signal = resample(fill(recording.signal), recording.fs, fmt.rate_hz)
    fiducials = np.rint(recording.samples * (fmt.rate_hz / recording.fs)).astype(np.int64).clip(0, len(signal) - 1)
    steady = remove_baseline(signal, fmt.rate_hz, fmt.baseline_s)
    peaks = refine_fiducials(steady, fiducials, round(fmt.refine_s * fmt.rate_hz))
    amplitudes = r_amplitudes(steady[peaks], fmt)
    if fmt.window == "kachuee":
        signals, spans = kachuee_windows(signal, fiducials)
    else:
        signals, spans = fixed_windows(steady, peaks, amplitudes, fmt)
    table = pd.DataFrame(
        {
            "record": recording.record,
            "lead": recording.lead,
            "sample": recording.samples.astype(np.int32),
            "time_s": recording.samples / recording.fs,
            "symbol": recording.symbols,
            "aami": np.array(aami.CLASSES)[aami.class_indices(recording.symbols)],
        }
    )
    flags = pd.DataFrame(
        {
            "edge": (spans[:, 0] < 0) | (spans[:, 1] > len(signal)),
            "invalid": _touches(missing, spans * (recording.fs / fmt.rate_hz)),
            "flat": np.ptp(signals[:, :, 0], axis=1) < FLAT_MV,
        }
    )
    atrial = p_waves(steady, peaks, amplitudes, fmt.rate_hz, fmt.past_only)
    return signals, pd.concat([table, rhythm, atrial, flags], axis=1)


def fill(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace NaN by straight lines between the neighbouring valid samples."""
    valid = np.isfinite(signal)
    if valid.all():
        return signal
    positions = np.arange(len(signal))
    return np.interp(positions, positions[valid], signal[valid])


def resample(signal: NDArray[np.float64], fs: float, fs_out: int) -> NDArray[np.float64]:
    """Resample with a polyphase anti-aliasing filter, by the fraction nearest to the ratio of the sampling rates."""
    if fs == fs_out:
        return signal
    ratio = Fraction(fs_out / fs).limit_denominator(LARGEST_DENOMINATOR)
    return resample_poly(signal, ratio.numerator, ratio.denominator, padtype="line")


def remove_baseline(signal: NDArray[np.float64], fs: float, spans_s: tuple[float, ...]) -> NDArray[np.float64]:
    """Subtract the baseline, estimated by one median filter after the other.

    A filter of 200 ms takes QRS complexes and P waves out, a second of 600 ms takes the T waves out: what is left is
    the baseline (de Chazal et al. 2004, section II-B).
    """
    baseline = signal
    for span_s in spans_s:
        baseline = median_filter(baseline, size=2 * round(span_s * fs / 2) + 1, mode="nearest")
    return signal - baseline if spans_s else signal


def refine_fiducials(signal: NDArray[np.float64], fiducials: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
    """Move each fiducial to the largest absolute deflection within ``reach`` samples of it."""
    around = fiducials[:, None] + np.arange(-reach, reach + 1)
    deflections = np.abs(signal[around.clip(0, len(signal) - 1)])
    return (fiducials - reach + deflections.argmax(axis=1)).clip(0, len(signal) - 1)


def r_amplitudes(peaks: NDArray[np.float64], fmt: BeatFormat) -> NDArray[np.float64]:
    """Give what each beat is divided by, mV: the median R amplitude of the recording, or of its part up to the beat.

    Parameters
    ----------
    peaks : ndarray, shape (beats,)
        The signal at the fiducials, mV.
    fmt : BeatFormat

    Returns
    -------
    ndarray, shape (beats,)
        1 where the amplitude is to be kept, and where there is none to speak of.
    """
    if fmt.amplitude == "none":
        return np.ones(len(peaks))
    heights = pd.Series(np.abs(peaks))
    medians = heights.expanding().median().to_numpy() if fmt.past_only else np.full(len(peaks), heights.median())
    return np.where(medians > FLAT_MV, medians, 1.0)


def fixed_windows(
    signal: NDArray[np.float64], fiducials: NDArray[np.int64], amplitudes: NDArray[np.float64], fmt: BeatFormat
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut windows of a fixed physical span around the fiducials.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        Free of its baseline, mV.
    fiducials : ndarray of int, shape (beats,)
        R peaks.
    amplitudes : ndarray, shape (beats,)
        From :func:`r_amplitudes`.
    fmt : BeatFormat

    Returns
    -------
    windows : ndarray of float32, shape (beats, *fmt.shape)
    spans : ndarray of int, shape (beats, 2)
        First sample and sample after the last of each window, before it was held inside the signal.
    """
    starts = fiducials - fmt.samples_before
    length = fmt.shape[0]
    windows = signal[(starts[:, None] + np.arange(length)).clip(0, len(signal) - 1)] / amplitudes[:, None]
    channels = [windows]
    if fmt.template:
        usual = pd.DataFrame(windows).expanding().median().to_numpy() if fmt.past_only else np.median(windows, axis=0)
        channels.append(windows - usual)
    return np.stack(channels, axis=-1).astype(np.float32), np.stack([starts, starts + length], axis=1)


def kachuee_windows(
    signal: NDArray[np.float64], fiducials: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut windows as the Kaggle ``heartbeat`` CSV has them.

    Kachuee, Fazeli & Sarrafzadeh, "ECG heartbeat classification: a deep transferable representation", ICHI 2018:
    the signal at 125 Hz is taken in segments of 10 s, each scaled to 0..1; a beat is the 1.2 median RR intervals of
    its segment that follow the R peak, padded with zeros to 187 samples. Their R peaks were detected; here they are
    the annotated ones. A segment with fewer than two beats takes the median RR interval of the recording.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        At 125 Hz, mV, with its baseline.
    fiducials : ndarray of int, shape (beats,)

    Returns
    -------
    windows : ndarray of float32, shape (beats, 187, 1)
    spans : ndarray of int, shape (beats, 2)
        First sample and sample after the last of each window.
    """
    length = round(KACHUEE_SEGMENT_S * KACHUEE_HZ)
    segment = fiducials // length
    lengths = np.empty(len(fiducials), dtype=np.int64)
    scaled = np.empty_like(signal)
    for number in range(-(-len(signal) // length)):
        part = slice(number * length, (number + 1) * length)
        low, high = signal[part].min(), signal[part].max()
        scaled[part] = (signal[part] - low) / ((high - low) or 1.0)
        here = segment == number
        intervals = np.diff(fiducials[here]) if here.sum() > 1 else np.diff(fiducials)
        lengths[here] = min(round(KACHUEE_RR * float(np.median(intervals))), KACHUEE_SAMPLES)
    positions = np.arange(KACHUEE_SAMPLES)
    windows = scaled[(fiducials[:, None] + positions).clip(0, len(signal) - 1)]
    windows[(positions >= lengths[:, None]) | (fiducials[:, None] + positions >= len(signal))] = 0.0
    return windows[:, :, None].astype(np.float32), np.stack([fiducials, fiducials + lengths], axis=1)


def _touches(missing: NDArray[np.bool_], spans: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which spans hold a missing sample."""
    count = np.concatenate([[0], np.cumsum(missing)])
    first, end = np.rint(spans.T).astype(np.int64).clip(0, len(missing))
    return count[end] > count[first]
