"""The page of a made-up (SYNTHETIC) recording."""

import numpy as np
import pandas as pd
import pytest

from stages.ecg.burden import summarise
from stages.ecg.quality import Problem
from stages.ecg.readers import Source
from stages.recording_page import Excerpt, Find, excerpts_of, finds, recording_page, warning

FS = 100
CLASSES = ["N"] * 20 + ["V"] * 4 + ["N"] * 10 + ["S"] + ["N"] * 20 + ["F"] + ["N"] * 30 + ["V"] + ["N"] * 10
PROBLEMS = [Problem(7000, 7500, "noisy")]


def beats() -> pd.DataFrame:
    times = np.arange(1, len(CLASSES) + 1, dtype=float)
    times[90:] += 2.5
    confidence = np.linspace(0.5, 0.99, len(CLASSES))
    table = pd.DataFrame({"time_s": times, "class": CLASSES, "confidence": confidence})
    return table.assign(sample=(table["time_s"] * FS).astype(int), unreadable="")


def summary(problems=PROBLEMS) -> dict:
    about = {
        "record": "<x1>",
        "lead": "MLII",
        "sampling_rate_hz": FS,
        "remarks": ["A SYNTHETIC recording."],
        "model": {"name": "cnn", "protocol": "inter-patient"},
        "beats_from": "atr",
    }
    return {**about, **summarise(beats(), problems, FS, 120 * FS)}


def source() -> Source:
    signal = np.sin(np.arange(120 * FS) / 20)
    signal[7000:7100] = np.nan
    return Source("x1", "MLII", ("MLII",), FS, len(signal), lambda start, stop: signal[start:stop])


def sample_page(beat_format, problems=PROBLEMS) -> str:
    window = np.hanning(198)
    shapes = {name: np.stack([np.full(198, 4.0), 4 * window, 4 * window**2 + 0.01]) for name in "NSVF"}
    excerpts = excerpts_of(source(), finds(beats(), summary()))
    return recording_page(summary(problems), beats(), problems, shapes, beat_format, excerpts)


def test_the_finds_are_the_runs_the_pauses_the_surest_beats_and_the_usual_rhythm():
    found = finds(beats(), summary())
    assert [find.time_s for find in found] == sorted(find.time_s for find in found)
    said = [find.said for find in found]
    assert "run of 4 V beats, 60/min" in said
    assert "pause of 3.5 s" in said
    assert "N beats, from the middle of the recording" in said
    assert sum("V beat, confidence" in one for one in said) == 3
    assert "F beat, confidence 0.78" in said


def test_an_excerpt_is_ten_seconds_around_a_find_within_the_recording():
    middle, first, last = excerpts_of(source(), [Find(50, ""), Find(1, ""), Find(119, "")])
    assert (middle.times_s[0], len(middle.times_s)) == (45, 1000)
    assert (first.times_s[0], len(first.signal_mv)) == (0, 1000)
    assert last.times_s[-1] == pytest.approx(119.99)


def test_the_page_says_what_was_found_and_what_it_is_not(beat_format):
    page = sample_page(beat_format)
    assert "Recording &lt;x1&gt;" in page
    assert "no diagnosis" in page.replace("\n", " ")
    assert "A SYNTHETIC recording." in page
    assert "noisy" in page
    assert page.count("<img") == 2 + len(finds(beats(), summary()))
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page == sample_page(beat_format)


def test_the_warning_says_whom_the_networks_learned_from():
    assert "learned from 22 patients recorded between 1975" in warning("inter-patient")
    assert "learned from 47 patients recorded between 1975" in warning("patient-mixed")
    assert "learned from SYNTHETIC data wrote" in warning("patient-mixed, SYNTHETIC data")
    assert "fibrillation of the ventricles are not recognised" in warning("inter-patient")


def test_a_recording_that_could_be_read_throughout(beat_format):
    assert "All of the recording could be read." in sample_page(beat_format, [])


def test_a_recording_without_beats(beat_format):
    none = beats().iloc[:0]
    empty = {**summary([]), **summarise(none, [], FS, 120 * FS)}
    page = recording_page(empty, none, [], {}, beat_format, [Excerpt(Find(1, "x"), np.arange(3.0), np.zeros(3))][:0])
    assert "0 of 0 beats" in page.replace("\n", " ")
