"""Figures of one recording, each returned as a matplotlib ``Figure``: its rhythm over hours, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import ArrayLike

from stages.figures.scores import rhythm_strip
from stages.figures.style import COLOURS

LONG_S = 7200.0
"""A recording of as much is told in hours."""

TICKS_S = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 86_400)
MOST_TICKS = 12


@dataclass(frozen=True)
class Clock:
    """How all times of a recording are written, in tables and figures alike, from its beginning.

    Attributes
    ----------
    duration_s : float
        Of the recording: below ``LONG_S`` minutes and seconds are enough.
    """

    duration_s: float

    def __call__(self, seconds: float) -> str:
        """Write a time, s from the beginning, as a clock shows it."""
        minutes, rest = divmod(int(seconds + 1e-6), 60)  # 45 s may come as 44.9999999 s
        if self.duration_s < LONG_S:
            return f"{minutes}:{rest:02d}"
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"

    @property
    def label(self) -> str:
        """Label of an axis of such times."""
        return "time (min:s)" if self.duration_s < LONG_S else "time (h:min:s)"


def trend_figure(
    rates: ArrayLike, ectopic: Mapping[str, ArrayLike], readable: ArrayLike, clock: Clock, title: str
) -> Figure:
    """Draw heart rate, ectopic beats and share of readable signal, minute by minute.

    Parameters
    ----------
    rates : array_like of float, shape (minutes,)
        Beats per minute, NaN where too little could be read. The last minute may be a part of one.
    ectopic : mapping of str to array_like of int, shape (minutes,)
        Beats of each class that is shown, stacked.
    readable : array_like of float, shape (minutes,)
        0 to 1.
    clock : Clock
    """
    edges = np.append(60.0 * np.arange(len(np.asarray(rates))), clock.duration_s)
    figure = Figure(figsize=(12.0, 5.2), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1))
    above.plot((edges[:-1] + edges[1:]) / 2, rates, ".-", color="black", linewidth=0.8, markersize=3)
    above.set(ylabel="heart rate (1/min)")
    bottom = np.zeros(len(edges) - 1)
    for name, counts in ectopic.items():
        bars = {"align": "edge", "color": COLOURS[name], "label": name}
        middle.bar(edges[:-1], counts, width=np.diff(edges), bottom=bottom, **bars)
        bottom += np.asarray(counts)
    middle.set(ylabel="beats per minute")
    middle.legend(frameon=False, loc="upper left", ncols=len(ectopic))
    below.stairs(np.asarray(readable), edges, fill=True, color="#009E73", alpha=0.6, linewidth=0)
    below.set(ylabel="readable", ylim=(0, 1.05), xlim=(0, clock.duration_s))
    for axes in (above, middle, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="both", color="0.9", linewidth=0.7)
        axes.set_axisbelow(True)
    _times(below, clock, next((step for step in TICKS_S if clock.duration_s / step <= MOST_TICKS), TICKS_S[-1]))
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


@dataclass(frozen=True)
class Strip:
    """What a rhythm strip shows, as for :func:`stages.figures.scores.rhythm_strip`; NaN where the signal is missing."""

    times_s: ArrayLike
    signal_mv: ArrayLike
    beat_times_s: ArrayLike
    symbols: Sequence[str]


def find_strip(
    strip: Strip, find_s: tuple[float, float], unread: Sequence[tuple[float, float, str]], clock: Clock, title: str
) -> Figure:
    """Draw a rhythm strip on which the find is marked, and what could not be read shaded.

    Parameters
    ----------
    strip : Strip
        The line is left out where the signal is NaN.
    find_s : tuple of float
        Beginning and end of the find, s.
    unread : sequence of tuple
        Beginning, end, s, and reason of each stretch in which no beat was classified.
    clock : Clock
    """
    signal = np.asarray(strip.signal_mv)
    there = np.isfinite(signal)
    filled = np.where(there, signal, np.median(signal[there]) if there.any() else 0.0)
    figure = rhythm_strip(strip.times_s, filled, strip.beat_times_s, strip.symbols, title)
    (axes,) = figure.axes
    axes.lines[0].set_ydata(signal)  # the strip finds room for the letters by its extremes, which NaN has none of
    first, last = axes.get_xlim()
    axes.axvspan(*find_s, color="#F0E442", alpha=0.45, linewidth=0, zorder=0.5)
    for start, stop, reason in unread:
        begin, end = max(start, first), min(stop, last)
        if begin < end:
            axes.axvspan(begin, end, color="0.75", alpha=0.6, linewidth=0, zorder=0.6)
            middle, at_axes = (begin + end) / 2, axes.get_xaxis_transform()
            axes.text(middle, 0.03, reason, transform=at_axes, ha="center", va="bottom", fontsize=8, color="0.25")
    axes.set_xlim(first, last)
    _times(axes, clock, 1)
    return figure


def _times(axes: Axes, clock: Clock, step_s: float) -> None:
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
    axes.set_xlabel(clock.label)
