from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ecg.beat_format import FEATURES, KACHUEE_HZ, KACHUEE_SAMPLES
from stages.ecg.beats import (
    cut_beats,
    fill,
    kachuee_windows,
    refine_fiducials,
    remove_baseline,
    resample,
)
from stages.ecg.recordings import RecordError, Recording
from tests.made_up import FS, spikes


def test_no_beat_is_lost_and_each_keeps_its_annotation(beat_format):
    recording = spikes([0, 500, 1000, 2999], symbols="NVSF")
    signals, table = cut_beats(recording, beat_format)
    assert signals.shape == (4, 198, 2)
    assert signals.dtype == np.float32
    assert table["sample"].tolist() == [0, 500, 1000, 2999]
    assert table["aami"].tolist() == ["N", "V", "S", "F"]
    assert table["time_s"].iloc[1] == pytest.approx(500 / 360)


def test_windows_at_the_ends_are_held_not_wrapped(beat_format):
    # The last samples of the recording are high; a wrapped window of the first beat would show them.
    recording = spikes([20, 1000, 2000, 2980])
    recording.signal[2600:2900] = 5.0
    signals, table = cut_beats(recording, replace(beat_format, baseline_s=(), template=False, amplitude="none"))
    assert table["edge"].tolist() == [True, False, False, True]
    assert signals[0, : 90 - 20].max() == pytest.approx(recording.signal[0])
    assert signals[-1, -60:].max() == pytest.approx(recording.signal[-1])


def test_the_fiducial_is_in_its_place(beat_format):
    signals, _ = cut_beats(spikes([700, 1400, 2100]), beat_format)
    assert (signals[:, :, 0].argmax(axis=1) == beat_format.samples_before).all()


def test_fiducials_move_to_the_largest_deflection_within_reach():
    signal = np.zeros(200)
    signal[105], signal[130] = -2.0, 5.0
    assert refine_fiducials(signal, np.array([100]), reach=10).tolist() == [105]
    assert refine_fiducials(signal, np.array([100]), reach=0).tolist() == [100]
    assert refine_fiducials(np.zeros(200), np.array([0, 199]), reach=10).min() >= 0


def test_amplitude_is_that_of_the_record(beat_format):
    small, large = spikes([700, 1400, 2100]), spikes([700, 1400, 2100])
    large.signal[:] *= 7
    np.testing.assert_allclose(cut_beats(small, beat_format)[0], cut_beats(large, beat_format)[0], atol=1e-6)


def test_template_channel_is_the_beat_less_the_median_beat(beat_format):
    recording = spikes([400, 900, 1400, 1900, 2400])
    recording.signal[1430:1450] += 0.5  # one beat differs
    signals, _ = cut_beats(recording, beat_format)
    np.testing.assert_allclose(signals[[0, 1, 3, 4], :, 1], 0, atol=1e-6)
    assert signals[2, :, 1].max() > 0.3


def test_statistics_of_the_past_do_not_change_with_what_follows(beat_format):
    rng = np.random.default_rng(0)
    samples = np.cumsum(rng.integers(250, 450, 30))
    whole = spikes(samples.tolist(), length=12000)
    whole.signal[:] += rng.normal(0, 0.02, len(whole.signal))
    whole.signal[samples[20] - 200 :] *= 3
    part = Recording("x1", "MLII", FS, whole.signal[: samples[20] - 200], samples[:20], whole.symbols[:20])
    for statistics, same in (("past", True), ("record", False)):
        fmt = replace(beat_format, statistics=statistics)
        (long, long_table), (short, short_table) = (cut_beats(recording, fmt) for recording in (whole, part))
        assert np.allclose(long[:19], short[:19], atol=1e-6) == same
        columns = list(FEATURES)
        assert np.allclose(long_table[columns][:19], short_table[columns][:19], atol=1e-6) == same


def test_baseline_wander_is_removed():
    positions = np.arange(10 * FS) / FS
    wander = 0.8 * np.sin(2 * np.pi * 0.3 * positions)
    recording = spikes(range(200, 3500, 300), length=len(positions))
    cleaned = remove_baseline(recording.signal + wander, FS, (0.2, 0.6))
    assert np.abs(cleaned - recording.signal)[FS:-FS].max() < 0.1
    np.testing.assert_array_equal(remove_baseline(wander, FS, ()), wander)


def test_missing_samples_are_bridged_and_flagged(beat_format):
    recording = spikes([700, 1400, 2100])
    recording.signal[1380:1390] = np.nan
    signals, table = cut_beats(recording, beat_format)
    assert np.isfinite(signals).all()
    assert table["invalid"].tolist() == [False, True, False]
    assert fill(np.array([0.0, np.nan, np.nan, 3.0])).tolist() == [0, 1, 2, 3]


def test_flat_beats_are_flagged(beat_format):
    recording = spikes([700, 1400], symbols="NNN"[:2])
    flat = Recording("x1", "MLII", FS, recording.signal, np.array([700, 1400, 2500]), np.array(["N", "N", "N"]))
    _, table = cut_beats(flat, replace(beat_format, template=False))
    assert table["flat"].tolist() == [False, False, True]


def test_a_record_of_one_beat_is_an_error(beat_format):
    with pytest.raises(RecordError, match="record x1: RR intervals need 2 beats, it has 1"):
        cut_beats(spikes([700]), beat_format)


def test_rr_intervals_are_those_of_the_annotations(beat_format):
    _, table = cut_beats(spikes([0, 360, 900]), beat_format)
    assert table["rr_pre_s"].tolist()[1:] == pytest.approx([1.0, 1.5])


@pytest.mark.parametrize("fs_out", [125, 180, 250, 500])
def test_resampling_keeps_time_and_shape(beat_format, fs_out):
    fmt = replace(beat_format, fs_hz=fs_out, template=False)
    signals, _ = cut_beats(spikes([700, 1400, 2100]), fmt)
    assert signals.shape == (3, *fmt.shape)
    assert np.abs(signals[:, :, 0].argmax(axis=1) - fmt.samples_before).max() <= 1


@pytest.mark.parametrize("fs", [360, 360.5, 250.0075, 999.9])
def test_resampling_keeps_a_slow_sine(fs):
    positions = np.arange(round(600 * fs)) / fs
    expected = np.sin(2 * np.pi * 3 * np.arange(600 * 125) / 125)
    resampled = resample(np.sin(2 * np.pi * 3 * positions), fs, 125)
    assert abs(len(resampled) - len(expected)) <= 1
    # Ten minutes on, the signal is still in step.
    np.testing.assert_allclose(resampled[50:-50], expected[50 : len(resampled) - 50], atol=0.01)


def test_kachuee_window_follows_the_beat_and_is_scaled_and_padded():
    fiducials = np.arange(50, 1250, 100)
    signal = np.full(1250, 2.0)
    signal[fiducials] = 4.0
    windows, spans = kachuee_windows(signal, fiducials)
    assert windows.shape == (12, KACHUEE_SAMPLES, 1)
    assert windows.min() == 0
    assert windows.max() == 1
    assert windows[0, 0, 0] == 1
    assert windows[0, 100, 0] == 1
    assert (windows[:, 120:] == 0).all()
    assert (spans[:, 1] - spans[:, 0] == 120).all()


def test_kachuee_segment_with_one_beat_takes_the_interval_of_the_record():
    signal = np.random.default_rng(0).normal(size=2500)
    _, spans = kachuee_windows(signal, np.array([100, 200, 300, 2000]))
    assert (spans[-1, 1] - spans[-1, 0]) == (spans[0, 1] - spans[0, 0]) == KACHUEE_HZ * 0.96


def test_kachuee_format_through_the_one_path(beat_format):
    fmt = replace(beat_format, window="kachuee")
    signals, table = cut_beats(spikes([700, 1400, 2100]), fmt)
    assert signals.shape == (3, 187, 1)
    assert len(table) == 3


@given(
    st.lists(st.integers(0, 2999), min_size=2, max_size=40, unique=True),
    st.sampled_from(["fixed", "kachuee"]),
    st.sampled_from(["record", "past"]),
)
def test_any_beats_give_finite_windows_one_each(samples, window, statistics):
    from stages.ecg.beats import BeatFormat

    fmt = BeatFormat(window, ("MLII",), 250, 0.2, 0.3, 0.05, (0.2, 0.6), "record", True, statistics)
    signals, table = cut_beats(spikes(sorted(samples)), fmt)
    assert len(signals) == len(table) == len(samples)
    assert np.isfinite(signals).all()
