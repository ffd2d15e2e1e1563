import numpy as np
import pytest

from stages.ecg.atrial import P_BEATS, p_waves
from tests.made_up import FS, rhythm_with_p_waves

BEATS = 400


def waves_of(signal, fiducials, past_only=False):
    return p_waves(signal, fiducials, np.ones(len(fiducials)), FS, past_only)


def bump(beat):
    return 0.15 * np.hanning(30)


def test_sinus_rhythm_is_consistent_and_fibrillation_is_not():
    rng = np.random.default_rng(1)
    sinus = waves_of(*rhythm_with_p_waves(BEATS, bump))
    fibrillation = waves_of(
        *rhythm_with_p_waves(BEATS, lambda beat: 0.1 * np.sin(np.arange(30) / 4 + rng.uniform(0, 6.28)))
    )
    assert sinus["p_consistency"].min() > 0.8
    assert fibrillation["p_consistency"].max() < 0.4


def test_a_beat_from_elsewhere_is_unlike_the_others():
    waves = waves_of(*rhythm_with_p_waves(BEATS, lambda beat: -bump(beat) if beat == 200 else bump(beat)))
    assert waves["p_similarity"].idxmin() == 200
    assert waves["p_similarity"].drop(200).min() > 0.7
    assert waves.loc[200, "p_similarity"] < -0.7


@pytest.mark.parametrize("change", ["amplitude", "offset", "drift"])
def test_amplitude_and_drift_do_not_matter(change):
    signal, fiducials = rhythm_with_p_waves(BEATS, bump, deviation=0.005)
    changed = {
        "amplitude": 3 * signal,
        "offset": signal + 2,
        "drift": signal + np.linspace(0, 50, len(signal)),
    }[change]
    np.testing.assert_allclose(waves_of(changed, fiducials), waves_of(signal, fiducials), atol=0.15)


def test_it_is_local():
    changed = waves_of(*rhythm_with_p_waves(BEATS, lambda beat: bump(beat) if beat < 200 else 0))
    assert changed["p_consistency"].iloc[: 200 - P_BEATS // 2].min() > 0.8
    assert changed["p_consistency"].iloc[200 + P_BEATS // 2 :].max() < 0.4


def test_of_the_past_only_earlier_segments_count():
    changed = waves_of(*rhythm_with_p_waves(BEATS, lambda beat: bump(beat) if beat < 200 else 0), past_only=True)
    assert changed["p_consistency"].iloc[:200].min() > 0.8
    assert changed["p_consistency"].iloc[200 + P_BEATS :].max() < 0.4


def test_each_segment_is_divided_by_its_amplitude():
    signal, fiducials = rhythm_with_p_waves(BEATS, bump, deviation=0.005)
    scaled = p_waves(3 * signal, fiducials, np.full(len(fiducials), 3.0), FS)
    np.testing.assert_allclose(scaled, waves_of(signal, fiducials), rtol=1e-9)


def test_a_flat_signal_and_two_beats_at_the_ends_give_numbers():
    flat = waves_of(np.zeros(1000), np.array([0, 999]))
    assert flat.to_numpy().tolist() == [[0, 0], [0, 0]]
