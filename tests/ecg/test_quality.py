import numpy as np
import pytest

from stages.ecg.quality import Problem, find_problems, intact_intervals, unreadable, unreadable_beats
from tests.made_up import clean_ecg


def reasons(signal, fs=360):
    return {problem.reason for problem in find_problems(signal, fs)}


@pytest.mark.parametrize("fs", [100, 128, 250, 360, 1000])
def test_a_clean_signal_has_no_problem(fs):
    assert find_problems(clean_ecg(fs), fs) == []
    assert find_problems(-5 * clean_ecg(fs) + 2, fs) == []


def test_missing_samples_are_named_with_a_margin():
    signal = clean_ecg()
    signal[3600:3700] = np.nan
    assert find_problems(signal, 360) == [Problem(3420, 3880, "missing")]
    assert find_problems(np.full(1000, np.nan), 360) == [Problem(0, 1000, "missing")]


def test_an_electrode_that_fell_off_is_flat():
    signal = clean_ecg()
    signal[7200:10800] = 0.003
    problems = find_problems(signal, 360)
    assert {problem.reason for problem in problems} == {"flat"}
    assert min(problem.start for problem in problems) == pytest.approx(7200, abs=400)
    assert max(problem.stop for problem in problems) == pytest.approx(10800, abs=400)


def test_a_pause_is_not_flat():
    signal = clean_ecg()
    pause = slice(3600 + 100, 3600 + 100 + 1400)
    signal[pause] = np.random.default_rng(1).normal(0, 0.01, 1400)
    assert "flat" not in reasons(signal)


def test_an_amplifier_at_its_limit_is_saturated():
    signal = clean_ecg()
    signal[5000:5100] = 5.0
    assert find_problems(signal, 360)[0] == Problem(4820, 5280, "saturated")
    assert reasons(np.clip(clean_ecg(), None, 1.19)) <= {"saturated"}
    assert reasons(clean_ecg()) == set()


@pytest.mark.parametrize("fs", [128, 360])
def test_noise_is_told_window_by_window(fs):
    signal = clean_ecg(fs)
    rng = np.random.default_rng(2)
    signal[20 * fs : 40 * fs] += rng.normal(0, 0.6, 20 * fs)
    problems = find_problems(signal, fs)
    assert [(problem.start / fs, problem.stop / fs, problem.reason) for problem in problems] == [
        (20, 30, "noisy"),
        (30, 40, "noisy"),
    ]


def test_ventricular_tachycardia_is_no_noise():
    times = np.arange(360 * 30) / 360
    tachycardia = np.abs(np.sin(np.pi * 3 * times)) ** 6 * np.sign(np.sin(np.pi * 3 * times))
    assert "noisy" not in reasons(tachycardia + np.random.default_rng(0).normal(0, 0.01, len(times)))


def test_beats_are_told_why_they_cannot_be_read():
    problems = [Problem(100, 200, "missing"), Problem(150, 300, "noisy")]
    assert unreadable(problems, np.array([50, 100, 160, 250, 300])).tolist() == ["", "missing", "missing", "noisy", ""]


def windows_of(signal, beats, fs=360):
    times = np.arange(-90, 108) / fs
    return signal[beats[:, None] + np.arange(-90, 108)][:, :, None].astype("f4"), times


@pytest.mark.parametrize("unit", [0.1, 1, 10])
def test_waves_anywhere_before_the_beats_make_them_noisy_in_any_unit(unit):
    signal, beats = clean_ecg(), np.arange(1, 59) * 360 + 180
    windows, times = windows_of(signal, beats)
    problems = [Problem(0, 1000, "missing")]
    assert unreadable_beats(problems, beats, windows, times).tolist() == unreadable(problems, beats).tolist()
    rng = np.random.default_rng(0)
    for at in rng.integers(30 * 360, 59 * 360, 150):
        signal[at : at + 40] += rng.uniform(-2, 2)
    reasons = unreadable_beats([], beats, *windows_of(signal * unit, beats))
    assert set(reasons[beats > 36 * 360]) == {"noisy"}
    assert set(reasons[beats < 22 * 360]) == {""}


def test_a_tachycardia_before_whose_beats_the_last_one_ends_is_not_restless():
    times = np.arange(360 * 30) / 360
    tachycardia = np.sin(2 * np.pi * 3 * times) + np.random.default_rng(0).normal(0, 0.01, len(times))
    beats = np.arange(2, 85) * 120 + 30
    assert set(unreadable_beats([], beats, *windows_of(tachycardia, beats))) == {""}


def test_windows_that_begin_at_the_beat_tell_nothing():
    assert unreadable_beats([], np.array([5, 9]), np.ones((2, 187, 1), "f4"), np.arange(187) / 125).tolist() == ["", ""]


def test_an_interval_is_intact_where_no_problem_touches_it():
    problems = [Problem(150, 250, "missing"), Problem(400, 410, "noisy")]
    samples = np.array([50, 100, 260, 300, 400, 500])
    assert intact_intervals(problems, samples).tolist() == [True, False, True, False, False]
    assert len(intact_intervals(problems, np.array([7]))) == len(intact_intervals([], np.array([], dtype=int))) == 0


def test_a_short_signal_is_not_measured_for_noise():
    assert find_problems(np.random.default_rng(0).normal(size=1000), 360) == []
