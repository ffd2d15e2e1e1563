"""Figures of scores and beats, each drawn from arrays or tables and returned as a matplotlib ``Figure``.

Every figure takes a ``title`` (str), which has to name the protocol, so that no picture of a patient-mixed split can
pass for one of new patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from numpy.typing import ArrayLike, NDArray

from stages.ecg.aami import CLASS_NAMES, CLASS_OF_SYMBOL, CLASSES
from stages.figures.style import COLOURS, GROUP_COLOURS, legend_below, titled_axes

MARKERS = {"N": ".", "S": "o", "V": "^", "F": "s", "Q": "x"}
METRIC_NAMES = {"ppv": "precision (+P)", "se": "recall (Se)", "f1": "F1"}
DASH = "–"
LONGEST_RR_S = 2.5
FEW_BEATS = 20


def confusion_figure(confusion: pd.DataFrame, title: str) -> Figure:
    """Draw the counts of :func:`stages.scores.per_beat.confusion`, true classes in rows, shaded by percents."""
    figure, (axes,) = titled_axes(title, (6.0, 5.2), grid=None)
    counts = confusion.to_numpy()
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{counts[row, column]:,}" + (f"\n{100 * share:.1f} %" if totals[row, 0] else "")
        _cell_text(axes, row, column, text, dark=share > 0.55)
    axes.set_xticks(range(counts.shape[1]), list(confusion.columns))
    rows = [f"{name}\n({total:,})" for name, total in zip(confusion.index, totals[:, 0], strict=True)]
    axes.set_yticks(range(len(rows)), rows)
    axes.set(xlabel="predicted class", ylabel="true class (beats)")
    _bare(axes)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def roc_figure(points: pd.DataFrame, title: str) -> Figure:
    """ROC curve of each class against the rest; ``points`` as :func:`stages.scores.curves.roc_points` returns them."""
    figure, (axes,) = titled_axes(title, (6.0, 5.2))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":", label="chance")
    _class_curves(axes, points, "false_positive_rate", "true_positive_rate", "default")
    axes.set(xlabel="false positive rate (1 − specificity)", ylabel="true positive rate (Se)")
    return figure


def pr_figure(points: pd.DataFrame, title: str) -> Figure:
    """Precision over recall of each class; ``points`` as :func:`stages.scores.curves.pr_points` returns them."""
    figure, (axes,) = titled_axes(title, (6.0, 5.2))
    _class_curves(axes, points, "recall", "precision", "steps-pre")
    axes.set(xlabel="recall (Se)", ylabel="precision (+P)")
    return figure


def reliability_figure(points: pd.DataFrame, error: float, title: str) -> Figure:
    """Accuracy over confidence, as :func:`stages.scores.curves.calibration_points` bins them, and beats a bin below.

    A bin of less than ``FEW_BEATS`` beats, in which accuracy is much a matter of chance, has a hollow marker.
    """
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":", label="as probable as said")
    axes.plot(points["confidence"], points["accuracy"], color=COLOURS["S"], label=f"error {error:.4f}")
    few = points["beats"] < FEW_BEATS
    for of_bins, inside, said in ((~few, COLOURS["S"], None), (few, "white", f"less than {FEW_BEATS} beats")):
        of_x, of_y = points["confidence"][of_bins], points["accuracy"][of_bins]
        label = said if of_bins.any() else None
        axes.plot(of_x, of_y, "o", color=COLOURS["S"], markerfacecolor=inside, label=label)
    axes.set(ylabel="accuracy", ylim=(-0.01, 1.01), xlim=(0, 1.01))
    axes.legend(frameon=False, loc="upper left")
    below.bar(points["confidence"], points["beats"], width=0.04, color="0.6")
    below.set(xlabel="confidence: probability of the class called", ylabel="beats", yscale="log")
    for one in (axes, below):
        one.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def pairs_figure(means: ArrayLike, counts: ArrayLike, times_s: ArrayLike, title: str, unit: str = "mV") -> Figure:
    """Mean beat of each pair of true class (row) and predicted class (column), with the number of beats.

    Parameters
    ----------
    means : array_like of float, shape (5, 5, samples), in ``unit``
        NaN where there is no such beat.
    counts : array_like of int, shape (5, 5)
    times_s : array_like of float, shape (samples,)
        Seconds from the annotated fiducial.
    unit : str
    """
    values, beats, times = np.asarray(means), np.asarray(counts), np.asarray(times_s)
    figure = Figure(figsize=(10.0, 8.4), layout="constrained")
    grid = figure.subplots(len(CLASSES), len(CLASSES), sharex=True, sharey=True)
    for (row, column), count in np.ndenumerate(beats):
        axes = grid[row, column]
        axes.spines[:].set_color("0.85")
        axes.tick_params(labelsize=7, length=2, color="0.6")
        right = row == column
        if count:
            axes.plot(times, values[row, column], color=COLOURS[CLASSES[row]], linewidth=1.4)
            axes.axvline(0, color="0.8", linewidth=0.7, linestyle=":")
        else:
            axes.set_facecolor("0.96")
        weight = "bold" if right else "normal"
        axes.text(0.04, 0.95, f"{count:,}", transform=axes.transAxes, va="top", fontsize=8, fontweight=weight)
        if row == 0:
            axes.set_title(f"called {CLASSES[column]}", fontsize=9)
        if column == 0:
            axes.set_ylabel(f"true {CLASSES[row]}", fontsize=9)
    figure.supxlabel("time from the fiducial (s)", fontsize=9)
    figure.supylabel(f"mean amplitude ({unit})", fontsize=9)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


@dataclass(frozen=True)
class Strip:
    """A short stretch of a lead around the beat at time 0.

    Attributes
    ----------
    times_s, signal_mv : ndarray of float, shape (samples,)
    beat_times_s : ndarray of float, shape (beats,)
    symbols : sequence of str, length beats
        WFDB symbols or class letters; of the beat at time 0 also what it was called, after an arrow.
    caption : str
    """

    times_s: NDArray[np.floating]
    signal_mv: NDArray[np.floating]
    beat_times_s: NDArray[np.floating]
    symbols: Sequence[str]
    caption: str


def strips_figure(strips: Sequence[Strip], window_s: tuple[float, float], title: str) -> Figure:
    """Draw strips, two in a row, with the true symbol of every beat.

    Parameters
    ----------
    strips : sequence of Strip
    window_s : tuple of float
        What the network sees of the beat, s; shaded.
    """
    rows = max(1, -(-len(strips) // 2))
    figure = Figure(figsize=(12.0, 1.0 + 1.7 * rows), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, strip in zip(grid, strips, strict=False):
        axes.axvspan(*window_s, color="#F0E442", alpha=0.35, linewidth=0)
        axes.plot(strip.times_s, strip.signal_mv, color="black", linewidth=0.8)
        _beat_symbols(axes, strip.beat_times_s, strip.symbols, strip.signal_mv, fontsize=8)
        axes.set_title(strip.caption, fontsize=9, loc="left")
        axes.set_xlim(strip.times_s[0], strip.times_s[-1])
        _ecg_paper(axes)
        axes.tick_params(labelsize=7)
    for axes in grid[len(strips) :]:
        axes.set_axis_off()
    figure.supxlabel("time from the beat (s)", fontsize=9)
    figure.supylabel("amplitude (mV)", fontsize=9)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def record_heatmap(record_table: pd.DataFrame, title: str) -> Figure:
    """Se and +P for S, V and F of every row of :func:`stages.scores.per_beat.record_table`; a dash where undefined."""
    columns = [(name, score) for name in ("S", "V", "F") for score in ("se", "ppv")]
    values = record_table[[f"{name}_{score}" for name, score in columns]].to_numpy(dtype=float)
    figure, (axes,) = titled_axes(title, (7.2, 1.5 + 0.26 * len(values)), grid=None)
    axes.set_facecolor("0.93")
    image = axes.imshow(np.ma.masked_invalid(values), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        name, score = columns[column]
        beats = f" of {record_table[f'{name}_support'].iloc[row]:,}" if score == "se" else ""
        text = DASH if np.isnan(value) else f"{value:.2f}{beats}"
        _cell_text(axes, row, column, text, dark=value < 0.5)
    axes.set_xticks(range(len(columns)), [f"{name} {'Se' if score == 'se' else '+P'}" for name, score in columns])
    axes.set_yticks(range(len(values)), record_table["record"])
    axes.set(ylabel="record", xlabel="sensitivity (of so many beats) and positive predictivity")
    _bare(axes)
    figure.colorbar(image, ax=axes, label="fraction", pad=0.02)
    return figure


def comparison_figure(table: pd.DataFrame, title: str) -> Figure:
    """Precision, recall and F1 of each class, models side by side.

    ``table`` has the columns ``model``, ``class``, ``metric`` (``ppv``, ``se``, ``f1``), ``value`` (NaN: undefined).
    """
    figure, all_axes = titled_axes(title, (13.0, 3.9), columns=len(METRIC_NAMES), sharey=True, grid="y")
    for axes, (metric, label) in zip(all_axes, METRIC_NAMES.items(), strict=True):
        _grouped_bars(axes, table[table["metric"] == metric], "model", "value", "{:.2f}", floor=0.0)
        axes.set(xlabel="class", ylabel=label, ylim=(0, 1.15), yticks=np.linspace(0, 1, 6))
        axes.tick_params(labelleft=True)
    legend_below(figure, all_axes[0])
    return figure


def class_count_figure(table: pd.DataFrame, title: str) -> Figure:
    """Beats of each class in each fold, on a log scale; ``table`` has the columns ``fold``, ``class``, ``beats``."""
    figure, (axes,) = titled_axes(title, (8.0, 4.2), grid="y")
    axes.set_yscale("log")
    _grouped_bars(axes, table, "fold", "beats", "{:,.0f}", floor=0.5)
    axes.set(xlabel="class", ylabel="beats (log scale)", ylim=(0.5, 5 * max(table["beats"].max(), 1)))
    names = [label.get_text() for label in axes.get_xticklabels()]
    axes.set_xticks(range(len(names)), [f"{name}\n{fill(CLASS_NAMES[name], 18)}" for name in names])
    axes.tick_params(axis="x", labelsize=8)
    legend_below(figure, axes)
    return figure


def beats_figure(
    means: ArrayLike, spreads: ArrayLike, times_s: ArrayLike, classes: Sequence[str], title: str, unit: str = "mV"
) -> Figure:
    """Mean beat of each class, with one standard deviation to either side.

    Parameters
    ----------
    means, spreads : array_like of float, shape (classes, samples), in ``unit``
    times_s : array_like of float, shape (samples,)
        Seconds from the annotated fiducial.
    classes : sequence of str
    unit : str
    """
    times = np.asarray(times_s)
    figure, all_axes = titled_axes(title, (2.6 * len(classes), 3.2), columns=len(classes), sharey=True)
    for axes, name, mean, spread in zip(all_axes, classes, np.asarray(means), np.asarray(spreads), strict=True):
        axes.fill_between(times, mean - spread, mean + spread, color=COLOURS[name], alpha=0.25, linewidth=0)
        axes.plot(times, mean, color=COLOURS[name])
        axes.axvline(0, color="0.6", linewidth=0.8, linestyle=":")
        axes.set_title(f"{name}: {CLASS_NAMES[name]}", fontsize=8)
        axes.margins(x=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    figure.supxlabel("time from the fiducial (s)", fontsize=10)
    all_axes[0].set_ylabel(f"amplitude ({unit}), mean ± sd")
    return figure


def rhythm_strip(
    times_s: ArrayLike, signal_mv: ArrayLike, beat_times_s: ArrayLike, symbols: Sequence[str], title: str
) -> Figure:
    """Draw a stretch of one lead with the symbol of every beat, on the 0.2 s by 0.5 mV grid of ECG paper.

    Parameters
    ----------
    times_s, signal_mv : array_like of float, shape (samples,)
    beat_times_s : array_like of float, shape (beats,)
    symbols : sequence of str, length beats
        WFDB symbols or class letters.
    """
    figure, (axes,) = titled_axes(title, (12.0, 2.9), grid=None)
    times, signal = np.asarray(times_s), np.asarray(signal_mv)
    axes.plot(times, signal, color="black", linewidth=0.8, zorder=3)
    _beat_symbols(axes, np.asarray(beat_times_s), symbols, signal)
    axes.set(xlabel="time (s)", ylabel="amplitude (mV)", xlim=(times[0], times[-1]))
    _ecg_paper(axes)
    return figure


def robustness_figure(classes: pd.DataFrame, detected: pd.DataFrame, title: str) -> Figure:
    """Macro F1 of each model over the signal-to-noise ratio, a panel a noise; dotted with the gate for bad signal.

    Parameters
    ----------
    classes : DataFrame
        ``noise``, ``snr_db`` (infinite: clean, a line across), ``model``, ``gate``, ``macro_f1_nsvf``, ``classified``.
    detected : DataFrame
        ``noise``, ``snr_db``, ``qrs_se``, ``qrs_ppv``.
    """
    clean = classes[np.isinf(classes["snr_db"]) & ~classes["gate"]].set_index("model")["macro_f1_nsvf"]
    noisy = classes[np.isfinite(classes["snr_db"])]
    noises = list(noisy["noise"].unique())
    figure = Figure(figsize=(4.2 * len(noises), 6.2), layout="constrained")
    grid = figure.subplots(2, len(noises), sharex=True, sharey="row", squeeze=False)
    for (above, below), noise in zip(grid.T, noises, strict=True):
        of_noise, found = noisy[noisy["noise"] == noise], detected[detected["noise"] == noise]
        for colour, (model, of_model) in zip(GROUP_COLOURS, of_noise.groupby("model", sort=False), strict=False):
            above.axhline(clean[model], color=colour, linewidth=0.6)
            for gate, line, label in ((False, "o-", str(model)), (True, "o:", f"{model}, gated")):
                rows = of_model[of_model["gate"] == gate]
                above.plot(rows["snr_db"], rows["macro_f1_nsvf"], line, markersize=3, color=colour, label=label)
        gated = of_noise[of_noise["gate"]].drop_duplicates("snr_db")
        below.plot(gated["snr_db"], gated["classified"], "ko:", markersize=3, label="classified with the gate")
        for column, marker, colour in (("qrs_se", "s-", "#56B4E9"), ("qrs_ppv", "^-", "#CC79A7")):
            label = "detector Se" if column == "qrs_se" else "detector +P"
            below.plot(found["snr_db"], found[column], marker, markersize=3, color=colour, label=label)
        above.set_title(noise)
        below.set(xlabel="signal-to-noise ratio (dB)")
        for axes in (above, below):
            axes.set_ylim(0, 1.02)
            axes.grid(color="0.9", linewidth=0.7)
            axes.spines[["top", "right"]].set_visible(False)
    grid[0][0].set_ylabel("macro F1 (N S V F), thin: clean")
    grid[1][0].set_ylabel("share of the beats")
    for row in grid:
        row[-1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def rr_scatter(rr_pre_s: ArrayLike, rr_post_s: ArrayLike, labels: ArrayLike, title: str) -> Figure:
    """RR interval before against after each beat, the rarest classes on top.

    Parameters
    ----------
    rr_pre_s, rr_post_s : array_like of float, shape (beats,), in seconds
    labels : array_like of int, shape (beats,)
        Positions in ``CLASSES``.
    """
    pre, post, positions = np.asarray(rr_pre_s), np.asarray(rr_post_s), np.asarray(labels)
    figure, (axes,) = titled_axes(title, (6.0, 5.4))
    counts = np.bincount(positions, minlength=len(CLASSES))
    for position in np.argsort(-counts, kind="stable"):
        name, of_class = CLASSES[position], positions == position
        if of_class.any():
            style = {"color": COLOURS[name], "marker": MARKERS[name], "label": f"{name} ({counts[position]:,})"}
            line_width, alpha = 0.8 if name == "Q" else 0, 0.35 if name == "N" else 0.7
            axes.scatter(pre[of_class], post[of_class], s=9, linewidths=line_width, alpha=alpha, **style)
    beyond = int(((pre > LONGEST_RR_S) | (post > LONGEST_RR_S)).sum())
    note = f"{beyond:,} beats lie beyond {LONGEST_RR_S} s" if beyond else None
    axes.set(xlabel="RR interval before the beat (s)", ylabel="RR interval after the beat (s)")
    axes.set(xlim=(0, LONGEST_RR_S), ylim=(0, LONGEST_RR_S), aspect="equal")
    legend = axes.legend(frameon=False, title=note, title_fontsize=8, markerscale=2)
    for handle in legend.legend_handles:
        handle.set_alpha(1)
    return figure


def _beat_symbols(
    axes: Axes,
    beat_times_s: NDArray[np.floating],
    symbols: Sequence[str],
    signal_mv: NDArray[np.floating],
    fontsize: float | None = None,
) -> None:
    """Write the symbol of each beat above the signal, in the colour of its class."""
    room = max(0.25, 0.1 * float(np.ptp(signal_mv)))
    top = signal_mv.max() + room
    for time, symbol in zip(beat_times_s, symbols, strict=True):
        name = CLASS_OF_SYMBOL.get(symbol[:1], "N")
        colour = "black" if name == "N" else COLOURS[name]
        axes.text(time, top, symbol, color=colour, ha="center", va="center", fontweight="bold", fontsize=fontsize)
    axes.set_ylim(None, top + room)


def _ecg_paper(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.xaxis.set_minor_locator(MultipleLocator(0.2))
    axes.yaxis.set_major_locator(MultipleLocator(0.5))
    axes.grid(which="both", color="#f3c6c6", linewidth=0.6, zorder=0)


def _bare(axes: Axes) -> None:
    """Drop frame and tick marks, which a matrix of cells does without."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _cell_text(axes: Axes, row: int, column: int, text: str, dark: bool) -> None:
    axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")


def _class_curves(axes: Axes, points: pd.DataFrame, x: str, y: str, drawstyle: str) -> None:
    for name in CLASSES:
        curve = points[points["class"] == name]
        if len(curve):
            axes.plot(curve[x], curve[y], color=COLOURS[name], linewidth=1.6, drawstyle=drawstyle, label=name)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), title="class\nvs rest")


def _grouped_bars(axes: Axes, table: pd.DataFrame, group: str, value: str, text: str, floor: float) -> None:
    """Bars of ``value`` per class, one colour a group, each with its value above it and a dash where undefined."""
    groups = list(dict.fromkeys(table[group]))
    classes = [name for name in CLASSES if name in set(table["class"])]
    values = table.set_index(["class", group])[value]
    width = 0.8 / max(len(groups), 1)
    for position, name in enumerate(groups):
        x = np.arange(len(classes)) + (position - (len(groups) - 1) / 2) * width
        heights = np.array([values.get((of_class, name), np.nan) for of_class in classes], dtype=float)
        colour = GROUP_COLOURS[position % len(GROUP_COLOURS)]
        axes.bar(x, np.nan_to_num(heights), width * 0.92, color=colour, label=name)
        for centre, height in zip(x, heights, strict=True):
            known = not np.isnan(height)
            label, base, turn = (f" {text.format(height)}", max(height, floor), 90) if known else (DASH, floor, 0)
            axes.text(centre, base, label, ha="center", va="bottom", fontsize=7, rotation=turn)
    axes.set_xticks(range(len(classes)), classes)
