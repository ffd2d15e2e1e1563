"""What of a recording is worth a look: which runs, pauses and single beats to show, and the signal around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.readers.leads import Source

EXCERPT_S = 10.0
SHOWN = 3
"""Finds of each kind that are drawn, those that say most."""

SURE = 100
"""Single beats of a class among which those to draw are looked for."""


@dataclass(frozen=True)
class Find:
    """Something worth a look: when, s, in words, and from its first beat to its last, s."""

    time_s: float
    description: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Excerpt:
    """Signal around a find.

    Attributes
    ----------
    find : Find
    times_s : ndarray of float64, shape (samples,)
        From the beginning of the recording.
    signal_mv : ndarray of float64, shape (samples,)
    """

    find: Find
    times_s: NDArray[np.float64]
    signal_mv: NDArray[np.float64]


def finds(beats: pd.DataFrame, summary: dict[str, Any]) -> list[Find]:
    """Choose what to draw: the longest runs and pauses, the surest single beats, and the usual rhythm.

    What the strip of another find shows already is passed over for the next of its kind.
    """
    chosen: list[Find] = []
    for of_kind in _kinds(beats, summary):
        shown = 0
        for find in of_kind:
            if shown < SHOWN and all(abs(find.time_s - other.time_s) >= EXCERPT_S for other in chosen):
                chosen.append(find)
                shown += 1
    usual = beats.loc[beats["class"] == "N", "time_s"].to_numpy()
    for other in chosen:
        usual = usual[np.abs(usual - other.time_s) >= EXCERPT_S]
    if len(usual):
        chosen.append(Find(float(usual[len(usual) // 2]), "N beats, from the middle of the recording"))
    return sorted(chosen, key=lambda find: find.time_s)


def _kinds(beats: pd.DataFrame, summary: dict[str, Any]) -> Iterator[list[Find]]:
    """Give the finds of one kind after the other, those first that say most."""
    for name in "VS":
        yield [
            Find(run["time_s"], f"run of {run['beats']} {name} beats, {run['rate']:.0f}/min", _length(run))
            for run in sorted(summary["runs"][name], key=lambda run: -run["beats"])
        ]
    yield [
        Find(pause["time_s"], f"pause of {pause['seconds']:.1f} s", pause["seconds"])
        for pause in sorted(summary["pauses"], key=lambda pause: -pause["seconds"])
    ]
    for name in "VSF":
        surest = beats[beats["class"] == name].nlargest(SURE, "confidence")
        yield [
            Find(time_s, f"{name} beat, confidence {confidence:.2f}")
            for time_s, confidence in zip(surest["time_s"].tolist(), surest["confidence"], strict=True)
        ]


def _length(run: dict[str, float]) -> float:
    return 60 * (run["beats"] - 1) / run["rate"]


def excerpts_of(source: Source, chosen: list[Find]) -> list[Excerpt]:
    """Read the signal around each find."""
    excerpts = []
    for find in chosen:
        first = max(0, round((find.time_s - EXCERPT_S / 2) * source.fs))
        stop = min(source.length, first + round(EXCERPT_S * source.fs))
        excerpts.append(Excerpt(find, np.arange(first, stop) / source.fs, source.read(first, stop)))
    return excerpts
