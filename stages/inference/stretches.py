"""A recording of any length, classified a stretch at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg import aami
from stages.ecg.beat_format import FEATURES, BeatFormat
from stages.ecg.beats import cut_beats
from stages.ecg.detection import detect_beats
from stages.ecg.quality import Problem, find_problems, find_silence, intact_intervals, unreadable_beats
from stages.ecg.recordings import Recording
from stages.readers.source import Source

STRETCH_S = 1800.0
"""The networks were trained on half hours; the statistics of a patient come from stretches as long."""

MARGIN_S = 10.0
"""Read before and after each stretch, for filters, detector and RR intervals to settle; its beats are another's."""

UNKNOWN = "Q"
"""Symbol of a beat that nobody has classified (WFDB)."""

Predict = Callable[[NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]], NDArray[np.float32]]


@dataclass(frozen=True)
class Stretch:
    """Part of a recording that is done.

    Attributes
    ----------
    start, stop : int
        First sample, and sample after the last.
    beats : DataFrame, one row a beat
        ``sample``, ``time_s``, ``class`` (empty where it was not classified), ``p_<class>``, ``confidence`` (the
        highest of them), ``rr_pre_s`` (NaN where it is not known: before the first beat, and over what cannot be read),
        ``upright`` (its QRS complex points up), ``unreadable`` (why, or empty), ``edge``, ``invalid``.
    problems : list of Problem
        In samples of the recording.
    shapes : dict of str to ndarray of float64, shape (3, samples)
        Of the classified beats of each class: how many there are, the sum of their windows, the sum of the squares.
    """

    start: int
    stop: int
    beats: pd.DataFrame
    problems: list[Problem]
    shapes: dict[str, NDArray[np.float64]]


def stretches(length: int, fs: float) -> list[tuple[int, int]]:
    """Divide a recording into equal parts of about half an hour, so that one of up to 45 minutes is one part."""
    count = max(1, round(length / (STRETCH_S * fs)))
    edges = np.linspace(0, length, count + 1).round().astype(int).tolist()
    return list(pairwise(edges))


@dataclass(frozen=True)
class Network:
    """What classifies beats.

    Attributes
    ----------
    predict : callable
        Gives the probabilities of the classes from windows, rhythm features and the recording of each beat.
    fmt : BeatFormat
        How it wants its beats.
    """

    predict: Predict
    fmt: BeatFormat


def classify_stretches(
    source: Source, network: Network, annotated: NDArray[np.int64] | None = None, gate: bool = True
) -> Iterator[Stretch]:
    """Find and classify the beats of a recording.

    Parameters
    ----------
    source : Source
    network : Network
    annotated : ndarray of int64, shape (beats,), optional
        Fiducials; else they are detected.
    gate : bool
        Whether beats in stretches of bad signal are left unclassified.

    Yields
    ------
    Stretch
        In time order.
    """
    margin = round(MARGIN_S * source.fs)
    for start, stop in stretches(source.length, source.fs):
        first, last = max(0, start - margin), min(source.length, stop + margin)
        signal = source.read(first, last)
        problems = find_problems(signal, source.fs) if gate else []
        if annotated is not None:
            samples = annotated[(annotated >= first) & (annotated < last)] - first
        else:
            samples = detect_beats(signal, source.fs, problems)
            problems += find_silence(problems, samples, len(signal), source.fs) if gate else []
        recording = Recording(source.record, source.lead, source.fs, signal, samples, np.full(len(samples), UNKNOWN))
        beats, windows = _classified(recording, network, problems, gate)
        ours = ((beats["sample"] >= start - first) & (beats["sample"] < stop - first)).to_numpy()
        beats = beats[ours]
        shapes = _shapes(windows[ours], beats["class"].to_numpy())
        beats = beats.assign(sample=beats["sample"] + first, time_s=(beats["sample"] + first) / source.fs)
        moved = [Problem(one.start + first, one.stop + first, one.reason) for one in problems]
        kept = [one for one in moved if one.start < stop and one.stop > start]
        yield Stretch(start, stop, beats.reset_index(drop=True), kept, shapes)


def _classified(
    recording: Recording, network: Network, problems: list[Problem], gate: bool
) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Cut the beats of a stretch as the pipeline does, and classify those that can be read; gives table and windows."""
    samples, fmt = recording.samples, network.fmt
    columns = list(aami.PROBABILITY_COLUMNS)
    if len(samples) < 2 or not np.isfinite(recording.signal).any():
        empty = pd.DataFrame({"sample": samples, "class": "", "rr_pre_s": np.nan, "unreadable": "alone"})
        empty = empty.assign(
            upright=True, edge=False, invalid=False, confidence=np.nan, **dict.fromkeys(columns, np.nan)
        )
        return empty, np.zeros((len(samples), *fmt.shape), dtype=np.float32)
    intact = intact_intervals(problems, samples)
    signals, table = cut_beats(recording, fmt, intact)
    reasons = unreadable_beats(problems, samples, signals, fmt.times_s) if gate else np.full(len(samples), "")
    readable = reasons == ""
    probabilities = np.full((len(table), len(columns)), np.nan, dtype=np.float32)
    if readable.any():
        rhythm = table[list(FEATURES)].to_numpy(dtype=np.float32)[readable]
        probabilities[readable] = network.predict(signals[readable], rhythm, table["record"].to_numpy()[readable])
    named = np.where(readable, np.array(aami.CLASSES)[np.nan_to_num(probabilities).argmax(axis=1)], "")
    beats = pd.DataFrame({"sample": samples, "class": named, **dict(zip(columns, probabilities.T, strict=True))})
    beats["confidence"] = probabilities.max(axis=1)
    fiducial = np.abs(fmt.times_s).argmin()
    beats["upright"] = signals[:, fiducial, 0] > np.median(signals[:, :, 0], axis=1)
    beats = beats.assign(unreadable=reasons, **{name: table[name] for name in ("rr_pre_s", "edge", "invalid")})
    beats["rr_pre_s"] = beats["rr_pre_s"].where(np.concatenate([[False], intact]))
    return beats, signals


def _shapes(windows: NDArray[np.float32], classes: NDArray[np.str_]) -> dict[str, NDArray[np.float64]]:
    """Sum up the first channel of the windows of each class."""
    shapes = {}
    for name in sorted(set(classes) - {""}):
        of_class = windows[classes == name, :, 0].astype(np.float64)
        shapes[name] = np.stack([np.full(of_class.shape[1], len(of_class)), of_class.sum(0), (of_class**2).sum(0)])
    return shapes
