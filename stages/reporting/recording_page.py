"""What the page of a recording says: rhythm, finds and what could not be read, in one file that opens offline."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.ecg import aami
from stages.ecg.beat_format import BeatFormat
from stages.ecg.quality import Problem
from stages.figures.recording import Clock, Strip, find_strip, trend_figure
from stages.figures.scores import beats_figure
from stages.figures.style import DPI
from stages.inference.classify import Classified
from stages.inference.finds import Excerpt
from stages.reporting.page import Listing, Picture, Section, Table, Text, page

MARKED_S = 0.2
"""Marked to either side of the beats of a find."""

LEAST_S = 30.0
"""Readable signal that a minute needs for a heart rate of its own."""

LISTED = 50
"""Runs, pauses and unreadable stretches that are listed."""

TRAINED_ON = {"inter_patient": "22 patients", "intra_patient": "47 patients"}
"""Whom the networks of each protocol were trained on: the records of DS1, or beats of all records."""

LEGEND = (
    "The class of each beat stands above it, ? where it was not classified. What was found is marked in yellow; what "
    "could not be read is grey."
)


def recording_page(recording: Classified) -> str:
    """Write the page of a recording."""
    summary, beats, problems = recording.summary, recording.beats, recording.problems
    clock = Clock(summary["duration_s"])
    sections = [
        Section("Summary", [_figures(summary), Listing(list(_about(summary))), *_remarks(summary)]),
        Section("Over time", [_trend(summary, beats, problems, clock)]),
    ]
    if recording.shapes:
        sections.append(Section("Mean beats", [_mean_beats(recording.shapes, recording.fmt)]))
    if recording.excerpts:
        strips = [_strip(excerpt, recording, clock) for excerpt in recording.excerpts]
        sections.append(Section("Finds", [Text([LEGEND]), *strips]))
    sections.append(Section("Lists", list(_lists(summary, problems, clock))))
    model = summary["model"]
    lead = [
        f"{summary['duration_s'] / 60:.1f} minutes of lead {summary['lead']}; {summary['classified']:,} of "
        f"{summary['beats']:,} beats were classified by the {model['name']} ({model['protocol_label']})."
    ]
    warning = not_a_medical_device(model["protocol"], model["synthetic"])
    return page(f"Recording {summary['record']}", lead, sections, warning, summary["warnings"])


def not_a_medical_device(protocol: str, synthetic: bool) -> str:
    """Say what the page is not, and what it cannot tell.

    Parameters
    ----------
    protocol : str
        Of the model.
    synthetic : bool
        Whether the model was trained on made-up signals.
    """
    patients = "SYNTHETIC data" if synthetic else f"{TRAINED_ON[protocol]} recorded between 1975 and 1979"
    return (
        f"Not a medical device. A network that was trained on {patients} wrote this; it is no diagnosis, and must not "
        "be used for one. Flutter and fibrillation of the ventricles are not recognised: they may read as runs, or as "
        "pauses."
    )


def _figures(summary: dict[str, Any]) -> Table:
    classified = max(1, summary["classified"])
    rows = [
        (f"{name}: {aami.CLASS_NAMES[name]}", count, 100 * count / classified)
        for name, count in summary["classes"].items()
    ]
    return Table("Beats of each class", ("class", "beats", "% of the classified"), rows, digits=2)


def _about(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    rate = summary["heart_rate"]
    if rate:
        yield "Heart rate", f"{rate['mean']:.0f}/min, {rate['lowest']:.0f} to {rate['highest']:.0f} (means of 8 beats)"
    yield "Readable", f"{summary['readable_s'] / max(summary['duration_s'], 1e-9):.1%} of the recording"
    for name in "VS":
        runs = summary["runs"][name]
        yield f"{name} couplets and runs", f"{summary['couplets'][name]} and {len(runs)}"
    yield "Pauses of more than 2 s", str(len(summary["pauses"]))
    yield "Sampling rate", f"{summary['sampling_rate_hz']:g} Hz"
    yield "Beats found by", summary["beats_from"]


def _remarks(summary: dict[str, Any]) -> list[Text]:
    """Give the remarks that do not stand at the top as warnings."""
    others = [remark for remark in summary["remarks"] if remark not in summary["warnings"]]
    return [Text(others)] if others else []


def _trend(summary: dict[str, Any], beats: pd.DataFrame, problems: list[Problem], clock: Clock) -> Picture:
    duration_s = summary["duration_s"]
    minutes = max(1, int(np.ceil(duration_s / 60)))
    minute = (beats["time_s"] // 60).astype(int).clip(0, minutes - 1)
    read_s = _readable_s(summary, problems, minutes)
    classified = beats["class"] != ""
    intervals = beats["time_s"].diff().where(classified & classified.shift(fill_value=False))
    rates = (60 / intervals.groupby(minute).median()).reindex(range(minutes))
    rates = rates.where(read_s >= min(LEAST_S, duration_s / 2))
    ectopic = {
        name: minute[beats["class"] == name].value_counts().reindex(range(minutes), fill_value=0) for name in "SV"
    }
    lengths = np.diff(np.append(60.0 * np.arange(minutes), duration_s))
    drawn = trend_figure(rates, ectopic, read_s / lengths, clock, "Minute by minute")
    alt = "heart rate, S and V beats of each minute, and how much of it could be read"
    caption = (
        "Median heart rate, ectopic beats and readable signal of each minute; no rate where less than "
        f"{LEAST_S:g} s of it could be read."
    )
    return _picture(drawn, caption, alt)


def _readable_s(summary: dict[str, Any], problems: list[Problem], minutes: int) -> NDArray[np.float64]:
    """Measure the signal of each minute that could be read, s."""
    edges = np.minimum(60.0 * np.arange(minutes + 1), summary["duration_s"])
    read_s = np.diff(edges)
    reached = 0.0
    for problem in problems:
        start = max(problem.start / summary["sampling_rate_hz"], reached)
        stop = max(problem.stop / summary["sampling_rate_hz"], start)
        read_s -= np.maximum(0, np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start))
        reached = stop
    return read_s


def _mean_beats(shapes: dict[str, NDArray[np.float64]], fmt: BeatFormat) -> Picture:
    names = [name for name in aami.CLASSES if name in shapes]
    counts = {name: shapes[name][0][0] for name in names}
    means = np.stack([shapes[name][1] / counts[name] for name in names])
    squares = np.stack([shapes[name][2] / counts[name] for name in names])
    spreads = np.sqrt(np.maximum(squares - means**2, 0))
    drawn = beats_figure(means, spreads, fmt.times_s, names, "Mean beat of each class", fmt.unit)
    numbers = ", ".join(f"{int(count):,} {name}" for name, count in counts.items())
    return _picture(drawn, f"Mean and standard deviation of {numbers} beats.", "mean beat of each class that was found")


def _strip(excerpt: Excerpt, recording: Classified, clock: Clock) -> Picture:
    beats, problems, summary = recording.beats, recording.problems, recording.summary
    times, find, fs = excerpt.times_s, excerpt.find, summary["sampling_rate_hz"]
    seen = beats[(beats["time_s"] >= times[0]) & (beats["time_s"] <= times[-1])]
    symbols = seen["class"].where(seen["class"] != "", "?").tolist()
    marked = (find.time_s - MARKED_S, find.time_s + find.seconds + MARKED_S)
    unread = [(one.start / fs, one.stop / fs, one.reason) for one in problems]
    title = f"{summary['lead']}, {clock(times[0])} to {clock(times[-1] + 1 / fs)}"
    strip = Strip(times, excerpt.signal_mv, seen["time_s"], symbols)
    drawn = find_strip(strip, marked, unread, clock, title)
    caption = f"{clock(find.time_s)}: {find.description}"
    return _picture(drawn, f"{caption}.", f"ten seconds of the lead around {caption}, the class above each beat")


def _lists(summary: dict[str, Any], problems: list[Problem], clock: Clock) -> Iterator[Table | Text]:
    for name in "VS":
        runs = sorted(summary["runs"][name], key=lambda run: -run["beats"])[:LISTED]
        if runs:
            rows = [(clock(run["time_s"]), run["beats"], run["rate"]) for run in runs]
            yield Table(f"Runs of {name} beats, the longest first", ("begins", "beats", "per minute"), rows, digits=0)
    pauses = sorted(summary["pauses"], key=lambda pause: -pause["seconds"])[:LISTED]
    if pauses:
        rows_of_pauses = [(clock(pause["time_s"]), pause["seconds"]) for pause in pauses]
        yield Table("Pauses, the longest first", ("begins", "seconds"), rows_of_pauses, digits=1)
    fs = summary["sampling_rate_hz"]
    if problems:
        longest = sorted(problems, key=lambda one: one.start - one.stop)[:LISTED]
        stretches = [(clock(one.start / fs), (one.stop - one.start) / fs, one.reason) for one in longest]
        caption = "Stretches in which no beat was classified, the longest first"
        yield Table(caption, ("begins", "seconds", "why"), stretches, digits=1)
    else:
        yield Text(["All of the recording could be read."])


def _picture(figure: Figure, caption: str, alt: str) -> Picture:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return Picture(file.getvalue(), caption, alt)
