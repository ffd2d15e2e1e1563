"""Heartbeats cut from a recording: the one path from a signal to what the networks see.

Training, evaluation and prediction all come through :func:`cut_beats`, so a beat looks the same to each of them.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.signal import resample_poly

from stages.ecg import aami
from stages.ecg.atrial import P_FEATURES, p_waves
from stages.ecg.recordings import RecordError, Recording
from stages.ecg.rhythm import RR_FEATURES, rr_intervals

FEATURES = RR_FEATURES + P_FEATURES
"""The columns of a table of beats that the networks see beside the windows."""

KACHUEE_HZ = 125
KACHUEE_SAMPLES = 187
KACHUEE_SEGMENT_S = 10.0
KACHUEE_RR = 1.2

FLAT_MV = 0.01
"""A window whose samples all lie within this span holds no beat that anyone could see: 2 adu at 200 adu/mV."""

LARGEST_DENOMINATOR = 100_000
"""Of the fraction by which a signal is resampled; half an hour is then right to 0.2 ms at any sampling rate."""


@dataclass(frozen=True)
class BeatFormat:
    """How a beat is shown to the networks.

    Attributes
    ----------
    window : {"fixed", "kachuee"}
        ``fixed``: the same physical span around each fiducial. ``kachuee``: see :func:`kachuee_windows`; rate, span
        and template do not apply to it, and the baseline stays in.
    leads : tuple of str
        Lead names in order of preference.
    fs_hz : int
        Sampling rate of the windows.
    before_s, after_s : float
        Span of the window before and after the fiducial, s.
    refine_s : float
        The fiducial is moved to the largest deflection within this span around the annotation, s; 0 leaves it.
    baseline_s : tuple of float
        Spans of the two median filters that estimate the baseline, s; empty leaves the baseline in.
    amplitude : {"record", "none"}
        ``record`` divides by the median R amplitude of the recording; ``none`` keeps mV.
    template : bool
        Adds a second channel: the beat less the median beat of the recording, which no label is needed for.
    statistics : {"record", "past"}
        What the patient's own amplitude, median beat, RR intervals and P waves are taken from: ``record`` is the whole
        recording, as a Holter analysis has it; ``past`` is the recording up to the beat, as in live use. Either way a
        beat waits for the next one, which ends its RR interval.
    """

    window: Literal["fixed", "kachuee"]
    leads: tuple[str, ...]
    fs_hz: int
    before_s: float
    after_s: float
    refine_s: float
    baseline_s: tuple[float, ...]
    amplitude: Literal["record", "none"]
    template: bool
    statistics: Literal["record", "past"]

    @property
    def past_only(self) -> bool:
        """Whether nothing that follows the next beat may be looked at."""
        return self.statistics == "past"

    @property
    def samples_before(self) -> int:
        """Samples of a fixed window that precede the fiducial."""
        return round(self.before_s * self.fs_hz)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels of a beat."""
        if self.window == "kachuee":
            return KACHUEE_SAMPLES, 1
        return self.samples_before + round(self.after_s * self.fs_hz), 2 if self.template else 1

    @property
    def unit(self) -> str:
        """What an amplitude of 1 is."""
        if self.window == "kachuee":
            return "range of its segment"
        return "median R wave" if self.amplitude == "record" else "mV"

    @property
    def rate_hz(self) -> int:
        """Sampling rate of the windows, whichever kind they are."""
        return KACHUEE_HZ if self.window == "kachuee" else self.fs_hz

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each sample of a window, s: from the fiducial, or from the beginning of a Kaggle window."""
        before = self.samples_before if self.window == "fixed" else 0
        return (np.arange(self.shape[0]) - before) / self.rate_hz


def cut_beats(
    recording: Recording, fmt: BeatFormat, whole: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Cut every beat of a recording.

    Parameters
    ----------
    recording : Recording
    fmt : BeatFormat
    whole : ndarray of bool, shape (beats - 1,), optional
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
    rhythm = rr_intervals(recording.samples, recording.fs, fmt.past_only, whole)
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
