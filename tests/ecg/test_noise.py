import numpy as np
import pytest

from stages.ecg.noise import add_noise, noise_power, signal_power
from tests.made_up import FS, spikes

BEATS = np.arange(400, 400 + 360 * 320, 360)


RECORDING = spikes(BEATS, length=BEATS[-1] + 400)


def signal(amplitude=1.0):
    """Triangles of a peak-to-peak amplitude, one a second."""
    return amplitude * RECORDING.signal


def test_the_power_of_the_signal_is_that_of_a_sine_of_its_amplitude():
    assert signal_power(signal(2.0), BEATS, FS) == pytest.approx(2.0**2 / 8)


def test_the_extremes_of_beats_and_seconds_do_not_count():
    made = signal()
    made[BEATS[10]] = 50
    made[BEATS[20] - 9 : BEATS[20] + 10] = 0
    assert signal_power(made, BEATS, FS) == pytest.approx(1 / 8)
    noise = np.random.default_rng(0).normal(0, 0.3, 310 * FS)
    noise[5 * FS : 6 * FS] = 100 * noise[5 * FS : 6 * FS]
    assert noise_power(noise, FS) == pytest.approx(0.09, rel=0.02)


def test_slow_drift_is_no_noise_power():
    assert noise_power(np.repeat(np.arange(50.0), FS), FS) == 0


@pytest.mark.parametrize("snr_db", [24, 6, 0, -6])
def test_the_ratio_is_as_asked(snr_db):
    noise = np.random.default_rng(1).normal(0, 0.7, len(signal()))
    added = add_noise(RECORDING, noise, snr_db, 0).signal - signal()
    ratio = signal_power(signal(), BEATS, FS) / noise_power(added, FS)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=1e-6)


def test_nothing_is_added_before_the_start_and_a_short_noise_is_repeated():
    made = add_noise(RECORDING, np.random.default_rng(2).normal(size=7 * FS), 0, start_s=300).signal
    np.testing.assert_array_equal(made[: 300 * FS], signal()[: 300 * FS])
    assert (made[300 * FS :] != signal()[300 * FS :]).mean() > 0.99
    added = made - signal()
    np.testing.assert_allclose(added[301 * FS : 302 * FS], added[308 * FS : 309 * FS])
