"""Made-up (SYNTHETIC) signals and recordings for tests: every one is drawn here, none stands for a patient."""

import numpy as np

from stages.ecg.recordings import Recording

FS = 360
"""Sampling rate where none is asked for, Hz: that of mitdb."""


def noise(seconds, deviation=0.01, fs=FS, seed=0):
    """White noise, mV."""
    return np.random.default_rng(seed).normal(0, deviation, round(seconds * fs))


def waves(seconds, beats, width_s=0.012, height=1.2, fs=FS):
    """A bell of some width and height at each of the times of ``beats``, s."""
    times = np.arange(round(seconds * fs)) / fs
    return sum(height * np.exp(-(((times - at) / width_s) ** 2) / 2) for at in beats)


def rhythm(seconds, early_s=0.3):
    """A noisy signal of one beat a second, every tenth of them early; gives it and the samples of its beats."""
    beats = np.arange(1, seconds) * FS
    beats[9::10] -= round(early_s * FS)
    signal = noise(seconds)
    offsets = np.arange(-20, 21)
    for beat in beats:
        signal[beat + offsets] += np.exp(-((offsets / 5) ** 2) / 2)
    return signal, beats


def clean_ecg(fs=FS, seconds=60):
    """One beat a second with P and T waves and hardly any noise."""
    phase = np.arange(round(seconds * fs)) / fs % 1 - 0.5
    p_qrs_t = ((1.2, 0.0, 0.012), (0.15, -0.18, 0.025), (0.3, 0.28, 0.06))
    bells = sum(height * np.exp(-(((phase - at) / width) ** 2) / 2) for height, at, width in p_qrs_t)
    return bells + noise(seconds, fs=fs)


def rhythm_with_p_waves(beats, p_wave, deviation=0.01):
    """R peaks every second, each after what ``p_wave(beat)`` gives: 30 samples; gives the signal and the peaks."""
    peaks = 500 + np.arange(beats) * FS
    signal = np.random.default_rng(0).normal(0, deviation, peaks[-1] + 500)
    signal[peaks] += 1
    for beat, peak in enumerate(peaks):
        signal[peak - 80 : peak - 50] += p_wave(beat)
    return signal, peaks


def triangles(length, samples):
    """Triangular spikes of 1 mV, 20 samples wide."""
    signal = np.zeros(length)
    for sample in samples:
        reached = np.arange(max(0, sample - 9), min(length, sample + 10))
        signal[reached] += 1 - np.abs(reached - sample) / 10
    return signal


def spikes(samples, length=3000, fs=FS, symbols=None):
    """A recording of triangular spikes, all of them N where no symbols are given."""
    symbols = symbols or "N" * len(samples)
    return Recording("x1", "MLII", fs, triangles(length, samples), np.array(samples), np.array(list(symbols)))


def two_leads(fs, seconds=10):
    """Times, an ECG of one beat a second, and a slow wave, mV to the third digit as files have them."""
    times = np.arange(seconds * fs) / fs
    ecg = np.round(1.2 * np.exp(-(((times % 1) - 0.5) ** 2) / 0.0004) + 0.1 * np.sin(times), 3)
    return times, ecg, np.round(0.3 * np.cos(times), 3)
