"""Recorded noise mixed into a signal at a set signal-to-noise ratio, defined as the WFDB program nst defines it.

Moody GB, Muldrow WE, Mark RG, "A noise stress test for arrhythmia detectors", Computers in Cardiology 11:381-384
(1984).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.ecg.recordings import Recording

BEATS = 300
QRS_S = 0.05
"""The first 300 QRS complexes, to 50 ms before and after the fiducial, tell the power of the signal."""

WINDOWS = 300
WINDOW_S = 1.0
"""The first 300 windows of one second tell the power of the noise."""

TRIMMED = 0.05
"""Of the smallest and of the largest values, that are left out of the means."""


def signal_power(signal: NDArray[np.float64], fiducials: NDArray[np.int64], fs: float) -> float:
    """Compute the power of the QRS complexes, mV²: that of a sine wave with their mean peak-to-peak amplitude.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        mV.
    fiducials : ndarray of int, shape (beats,)
    fs : float
        Sampling rate, Hz.
    """
    reach = round(QRS_S * fs)
    around = fiducials[:BEATS, None] + np.arange(-reach, reach + 1)
    amplitudes = np.ptp(signal[around.clip(0, len(signal) - 1)], axis=1)
    return _trimmed_mean(amplitudes) ** 2 / 8


def noise_power(noise: NDArray[np.float64], fs: float) -> float:
    """Compute the power of a noise, mV²: the square of its mean deviation (root mean square) within a second."""
    width = round(WINDOW_S * fs)
    count = min(WINDOWS, len(noise) // width)
    return _trimmed_mean(noise[: count * width].reshape(count, width).std(axis=1)) ** 2


def add_noise(recording: Recording, noise: NDArray[np.float64], snr_db: float, start_s: float) -> Recording:
    """Add a noise to the signal of a recording, from a time on to the end.

    Parameters
    ----------
    recording : Recording
        Its beats tell the power of the signal.
    noise : ndarray, shape (samples of the noise,)
        mV, at the rate of the signal; repeated if it is shorter.
    snr_db : float
        Ratio of the powers, dB.
    start_s : float

    Returns
    -------
    Recording
    """
    signal, fs = recording.signal, recording.fs
    gain = np.sqrt(signal_power(signal, recording.samples, fs) / noise_power(noise, fs) / 10 ** (snr_db / 10))
    start = min(round(start_s * fs), len(signal))
    noisy = signal.copy()
    noisy[start:] += gain * np.resize(noise, len(signal))[start:]
    return replace(recording, signal=noisy)


def _trimmed_mean(values: NDArray[np.float64]) -> float:
    ordered = np.sort(values)
    left_out = int(TRIMMED * len(ordered))
    return float(ordered[left_out : len(ordered) - left_out].mean())
