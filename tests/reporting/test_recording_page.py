"""The page of a made-up (SYNTHETIC) recording."""

import numpy as np
import pandas as pd
import pytest

from stages.ecg.burden import summarise
from stages.ecg.quality import Problem
from stages.figures.recording import trend_figure
from stages.inference.classify import Classified
from stages.inference.finds import Find, excerpts_of, finds
from stages.readers.source import Source
from stages.reporting.recording_page import not_a_medical_device, recording_page

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
        "remarks": ["A SYNTHETIC recording.", "It is upside down."],
        "warnings": ["It is upside down."],
        "model": {
            "name": "cnn",
            "protocol": "inter_patient",
            "protocol_label": "inter-patient",
            "synthetic": False,
        },
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
    return recording_page(Classified(beats(), summary(problems), problems, shapes, beat_format, excerpts))


def test_the_finds_are_the_runs_the_pauses_the_surest_beats_and_the_usual_rhythm():
    chosen = finds(beats(), summary())
    assert [find.time_s for find in chosen] == sorted(find.time_s for find in chosen)
    descriptions = [find.description for find in chosen]
    assert "run of 4 V beats, 60/min" in descriptions
    assert "pause of 3.5 s" in descriptions
    assert "N beats, from the middle of the recording" in descriptions
    assert "F beat, confidence 0.78" in descriptions
    assert [find.seconds for find in chosen if find.description.startswith(("run", "pause"))] == [3, 3.5]


def test_no_find_is_drawn_that_the_strip_of_another_shows():
    assert np.diff([find.time_s for find in finds(beats(), summary())]).min() >= 10
    lonely = beats().assign(**{"class": ["N"] * 20 + ["V", "V"] + ["N"] * 38 + ["V"] + ["N"] * (len(CLASSES) - 61)})
    about = {**summary(), **summarise(lonely, [], FS, 120 * FS)}
    assert [find.time_s for find in finds(lonely, about) if find.description.startswith("V beat")] == [22, 61]


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


def test_the_warning_says_whom_the_networks_were_trained_on():
    assert "trained on 22 patients recorded between 1975" in not_a_medical_device("inter_patient", synthetic=False)
    assert "trained on 47 patients recorded between 1975" in not_a_medical_device("intra_patient", synthetic=False)
    assert "trained on SYNTHETIC data wrote" in not_a_medical_device("intra_patient", synthetic=True)
    assert "fibrillation of the ventricles are not recognised" in not_a_medical_device("inter_patient", synthetic=False)


def test_a_recording_that_could_be_read_throughout(beat_format):
    assert "All of the recording could be read." in sample_page(beat_format, [])


def test_a_recording_without_beats(beat_format):
    none = beats().iloc[:0]
    empty = {**summary([]), **summarise(none, [], FS, 120 * FS)}
    page = recording_page(Classified(none, empty, [], {}, beat_format, []))
    assert "0 of 0 beats" in page.replace("\n", " ")


def test_a_warning_stands_at_the_top_and_nowhere_else(beat_format):
    page = recording_page(Classified(beats(), summary(), PROBLEMS, {}, beat_format, []))
    assert page.count("It is upside down.") == 1
    assert page.index("It is upside down.") < page.index("<nav")


def test_times_are_written_in_one_way(beat_format):
    (excerpt,) = excerpts_of(
        source(), [find for find in finds(beats(), summary()) if find.description.startswith("run")]
    )
    page = recording_page(Classified(beats(), summary(), PROBLEMS, {}, beat_format, [excerpt]))
    assert "0:21: run of 4 V beats, 60/min." in page
    assert ">0:21</th>" in page
    long = {**summary(), "duration_s": 3 * 3600}
    assert "0:00:21" in recording_page(Classified(beats(), long, PROBLEMS, {}, beat_format, []))


def trended(monkeypatch, beat_format, duration_s, problems):
    """What the trend is drawn from."""
    drawn = []

    def remember(rates, ectopic, readable, clock, title):
        drawn.append((np.asarray(rates), {name: list(counts) for name, counts in ectopic.items()}, readable))
        return trend_figure(rates, ectopic, readable, clock, title)

    monkeypatch.setattr("stages.reporting.recording_page.trend_figure", remember)
    recording_page(Classified(beats(), {**summary(), "duration_s": duration_s}, problems, {}, beat_format, []))
    return drawn[0]


def test_a_minute_with_little_signal_has_no_rate(monkeypatch, beat_format):
    rates, ectopic, readable = trended(monkeypatch, beat_format, 125, [Problem(0, 2000, "noisy")])
    np.testing.assert_array_equal(rates, [60, 60, np.nan])
    np.testing.assert_allclose(readable, [2 / 3, 1, 1])
    assert ectopic == {"S": [1, 0, 0], "V": [4, 1, 0]}
    overlapping = [Problem(0, 2500, "noisy"), Problem(2000, 4000, "flat"), Problem(9000, 9500, "noisy")]
    rates, _, readable = trended(monkeypatch, beat_format, 120, overlapping)
    np.testing.assert_array_equal(rates, [np.nan, 60])
    np.testing.assert_allclose(readable, [1 / 3, 11 / 12])


def test_a_short_recording_has_a_rate_all_the_same(monkeypatch, beat_format):
    rates, _, readable = trended(monkeypatch, beat_format, 20, [])
    np.testing.assert_array_equal(rates, [60])
    np.testing.assert_allclose(readable, [1])
