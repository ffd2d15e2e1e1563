import numpy as np
import pytest

from stages.ecg.detection import detect_beats
from stages.ecg.quality import NO_BEAT, Problem, find_problems, find_silence
from stages.ecg.recordings import read_recording
from tests.made_up import FS, noise, waves


def missed(detected, beats, fs=FS):
    return [at for at in beats if not len(detected) or np.abs(detected / fs - at).min() > 0.05]


@pytest.mark.parametrize("fs", [100, 128, 250, 360, 1000])
def test_every_beat_is_found_where_it_is_highest(fs):
    beats = np.arange(0.3, 60, 0.8)
    detected = detect_beats(waves(60, beats, fs=fs) + noise(60, fs=fs), fs)
    assert len(detected) == len(beats)
    assert np.abs(detected / fs - beats).max() <= 2 / fs + 0.002


def test_wide_low_beats_among_narrow_ones_are_found():
    normal = [at for at in np.arange(0.5, 120, 0.8) if round((at - 0.5) / 0.8) % 5]
    wide = [at - 0.1 for at in np.arange(0.5, 120, 4.0)]
    signal = waves(120, normal) - waves(120, wide, width_s=0.03, height=1.0) + noise(120)
    detected = detect_beats(signal, FS)
    assert missed(detected, wide) == []
    assert missed(detected, normal) == []
    assert len(detected) == len(normal) + len(wide)


def test_a_pause_and_the_waves_in_it_stay_empty():
    beats = [at for at in np.arange(0.5, 60, 0.8) if not 20 < at < 25]
    p_waves = waves(60, np.arange(20.3, 25, 0.7), width_s=0.03, height=0.15)
    detected = detect_beats(waves(60, beats) + p_waves + noise(60), FS)
    assert len(detected) == len(beats)


def test_a_long_standstill_is_not_filled_with_noise():
    beats = [at for at in np.arange(0.5, 90, 0.8) if not 30 < at < 50]
    signal = waves(90, beats) + noise(90)
    detected = detect_beats(signal, FS, find_problems(signal, FS))
    assert len(detected) == len(beats)


def test_beats_after_loud_noise_are_found_again():
    beats = np.arange(0.5, 120, 0.8)
    signal = waves(120, beats) + noise(120)
    loud = noise(120, 30.0)
    signal[: 60 * FS] += loud[: 60 * FS]
    detected = detect_beats(signal, FS, find_problems(signal, FS))
    late = beats[beats > 61]
    assert missed(detected, late) == []
    assert np.sum(detected > 61 * FS) == len(late)


def test_readable_signal_without_a_beat_is_said():
    problems = [Problem(0, round(20.5 * FS), "missing")]
    beats = np.array([50, 51, 65]) * FS
    silence = find_silence(problems, beats, 80 * FS, FS)
    assert [(one.start / FS, one.stop / FS) for one in silence] == [(20.5, 49.5), (51.5, 64.5), (65.5, 80)]
    assert {one.reason for one in silence} == {NO_BEAT}


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros(5000),
        np.full(5000, np.nan),
        np.ones(30),
        np.r_[np.full(5000, np.nan), noise(0.1)],
    ],
    ids=["flat", "nan", "short", "hardly begun"],
)
def test_no_signal_no_beat(signal):
    assert len(detect_beats(signal, FS)) == 0


@pytest.mark.mirror
@pytest.mark.parametrize(("record", "few"), [("106", 10), ("208", 35)])
def test_the_ectopic_beats_of_a_record_are_found(real_records, record, few):
    recording = read_recording(real_records, record, ("MLII",))
    detected = detect_beats(recording.signal, recording.fs)
    distance = np.abs(detected[:, None] - recording.samples[None]).min(axis=0)
    assert np.sum(distance > 0.15 * FS) < few
    assert len(detected) < len(recording.samples) + 5
