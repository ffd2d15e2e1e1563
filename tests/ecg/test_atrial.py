import numpy as np
import pytest

from stages.ecg.atrial import P_BEATS, p_waves

FS = 360
BEATS = 400


def rhythm_strip(p_wave, seed=0, noise=0.01):
    """R peaks every second, each after what ``p_wave(beat)`` returns: a deflection of 30 samples."""
    rng = np.random.default_rng(seed)
    fiducials = 500 + np.arange(BEATS) * FS
    signal = rng.normal(0, noise, fiducials[-1] + 500)
    signal[fiducials] += 1
    for number, fiducial in enumerate(fiducials):
        signal[fiducial - 80 : fiducial - 50] += p_wave(number)
    return signal, fiducials


def bump(beat):
    return 0.15 * np.hanning(30)


def test_sinus_rhythm_is_consistent_and_fibrillation_is_not():
    rng = np.random.default_rng(1)
    sinus = p_waves(*rhythm_strip(bump), FS)
    fibrillation = p_waves(*rhythm_strip(lambda beat: 0.1 * np.sin(np.arange(30) / 4 + rng.uniform(0, 6.28))), FS)
    assert sinus["p_consistency"].min() > 0.8
    assert fibrillation["p_consistency"].max() < 0.4


def test_a_beat_from_elsewhere_is_unlike_the_others():
    waves = p_waves(*rhythm_strip(lambda beat: -bump(beat) if beat == 200 else bump(beat)), FS)
    assert waves["p_similarity"].idxmin() == 200
    assert waves["p_similarity"].drop(200).min() > 0.7
    assert waves.loc[200, "p_similarity"] < -0.7


@pytest.mark.parametrize("change", ["amplitude", "offset", "drift"])
def test_amplitude_and_drift_do_not_matter(change):
    signal, fiducials = rhythm_strip(bump, noise=0.005)
    changed = {
        "amplitude": 3 * signal,
        "offset": signal + 2,
        "drift": signal + np.linspace(0, 50, len(signal)),
    }[change]
    np.testing.assert_allclose(p_waves(changed, fiducials, FS), p_waves(signal, fiducials, FS), atol=0.15)


def test_it_is_local():
    changed = p_waves(*rhythm_strip(lambda beat: bump(beat) if beat < 200 else 0), FS)
    assert changed["p_consistency"].iloc[: 200 - P_BEATS // 2].min() > 0.8
    assert changed["p_consistency"].iloc[200 + P_BEATS // 2 :].max() < 0.4


def test_a_flat_signal_and_two_beats_at_the_ends_give_numbers():
    flat = p_waves(np.zeros(1000), np.array([0, 999]), FS)
    assert flat.to_numpy().tolist() == [[0, 0], [0, 0]]
