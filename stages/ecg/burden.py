"""What a classified recording amounts to: rates, ectopic beats alone and in rows, pauses, what could not be read."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg.quality import Problem, intact_intervals

RATE_BEATS = 8
"""Intervals in the mean that the lowest and the highest heart rate are taken from."""

PAUSE_S = 2.0
"""An RR interval above this is a pause."""

COUPLET = 2
RUN = 3
"""Ectopic beats in a row that make a couplet, and at least a run."""


def summarise(beats: pd.DataFrame, problems: list[Problem], fs: float, length: int) -> dict[str, Any]:
    """Sum a recording up.

    Parameters
    ----------
    beats : DataFrame, one row a beat in time order
        ``sample``, ``time_s``, ``class`` (empty where it was not classified), ``unreadable``.
    problems : list of Problem
        May overlap.
    fs : float
        Sampling rate, Hz.
    length : int
        Samples.

    Returns
    -------
    dict
        ``duration_s``; ``readable_s`` and ``unreadable_s`` by reason; ``beats``, ``classified`` and ``classes``;
        ``heart_rate`` (mean, lowest and highest mean of eight intervals, per minute; None without intervals);
        ``burden`` of S and V, % of the classified beats; ``couplets`` and ``runs`` of S and V; ``pauses``. Intervals
        that reach over what cannot be read count for nothing.
    """
    classified = beats["class"] != ""
    times, intervals, intact = _intervals(beats, problems)
    classes = beats.loc[classified, "class"].value_counts()
    groups = {name: list(_rows(beats, intact, name)) for name in "SV"}
    return {
        "duration_s": length / fs,
        "readable_s": (length - _covered(problems)) / fs,
        "unreadable_s": {
            reason: _covered([one for one in problems if one.reason == reason]) / fs
            for reason in sorted({problem.reason for problem in problems})
        },
        "beats": len(beats),
        "classified": int(classified.sum()),
        "classes": {name: int(classes.get(name, 0)) for name in "NSVFQ"},
        "heart_rate": _heart_rate(intervals, intact),
        "burden": {name: 100 * int(classes.get(name, 0)) / max(1, int(classified.sum())) for name in "SV"},
        "couplets": {name: sum(len(row) == COUPLET for row in rows) for name, rows in groups.items()},
        "runs": {name: [_run(row) for row in rows if len(row) >= RUN] for name, rows in groups.items()},
        "pauses": [
            {"time_s": float(time), "seconds": float(seconds)}
            for time, seconds in zip(times[intact], intervals[intact], strict=True)
            if seconds > PAUSE_S
        ],
    }


def merged(problems: list[Problem]) -> list[Problem]:
    """Join the stretches of one reason that touch or overlap; in time order."""
    joined: list[Problem] = []
    for reason in sorted({problem.reason for problem in problems}):
        of_reason = sorted((one for one in problems if one.reason == reason), key=lambda one: one.start)
        begin, end = of_reason[0].start, of_reason[0].stop
        for one in of_reason:
            if one.start > end:
                joined.append(Problem(begin, end, reason))
                begin = one.start
            end = max(end, one.stop)
        joined.append(Problem(begin, end, reason))
    return sorted(joined, key=lambda one: (one.start, one.stop))


def _intervals(
    beats: pd.DataFrame, problems: list[Problem]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Give the beginning of each RR interval, its length, s, and whether all of it can be read."""
    times = beats["time_s"].to_numpy(dtype=float)
    return times[:-1], np.diff(times), intact_intervals(problems, beats["sample"].to_numpy())


def _heart_rate(intervals: NDArray[np.float64], intact: NDArray[np.bool_]) -> dict[str, float] | None:
    if not intact.any():
        return None
    usable = pd.Series(np.where(intact, intervals, np.nan))
    means = usable.rolling(RATE_BEATS).mean().dropna()
    means = means if len(means) else pd.Series([usable.mean()])
    return {"mean": 60 / usable.mean(), "lowest": 60 / means.max(), "highest": 60 / means.min()}


def _rows(beats: pd.DataFrame, intact: NDArray[np.bool_], name: str) -> Iterator[pd.DataFrame]:
    """Give the beats of a class that follow each other, as often as there are two or more."""
    same = (beats["class"] == name).to_numpy()
    begins = same & ~np.concatenate([[False], same[:-1] & intact])
    edges = [*np.flatnonzero(begins).tolist(), len(beats)]
    for first, end in pairwise(edges):
        row = beats.iloc[first:end]
        row = row[same[first:end]]
        if len(row) >= COUPLET:
            yield row


def _run(row: pd.DataFrame) -> dict[str, float | int]:
    seconds = float(row["time_s"].iloc[-1] - row["time_s"].iloc[0])
    return {"time_s": float(row["time_s"].iloc[0]), "beats": len(row), "rate": 60 * (len(row) - 1) / seconds}


def _covered(problems: list[Problem]) -> int:
    """Count the samples that lie in at least one stretch."""
    covered = reached = 0
    for problem in sorted(problems, key=lambda one: one.start):
        covered += max(0, problem.stop - max(problem.start, reached))
        reached = max(reached, problem.stop)
    return covered
