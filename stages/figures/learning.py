"""Figures of learning: the curves of a fit, the trials of a search. Each takes a ``title`` that names the protocol."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.figures.style import COLOURS, GROUP_COLOURS, legend_below, titled_axes

STATES = {
    "complete": ("o", "#0072B2"),
    "pruned": ("x", "#999999"),
    "failed": ("v", "#D55E00"),
    "interrupted": ("+", "#CC79A7"),
}
"""Marker and colour of the trials of each state."""

LABEL_BOX = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}


def learning_curves_figure(history: pd.DataFrame, title: str) -> Figure:
    """Losses and scores (0 to 1) of every epoch and fold, training solid and validation dashed.

    ``history`` has the columns ``epoch``, ``fold`` (the one held out: a line each), ``best`` (the epoch kept, a
    larger dot) and one per quantity: ``val_`` starts those of the fold held out, ``loss`` ends those of a loss.
    """
    drawn = [name for name in history.columns if name not in ("epoch", "best", "fold")]
    losses = [name for name in drawn if name.endswith("loss")]
    panels = {"loss": losses, "score (0 to 1)": [name for name in drawn if name not in losses]}
    panels = {label: names for label, names in panels.items() if names}
    figure, all_axes = titled_axes(title, (5.4 * len(panels), 3.8), columns=len(panels))
    for axes, (label, names) in zip(all_axes, panels.items(), strict=True):
        quantities = [name.removeprefix("val_") for name in names]
        of_class = {f"f1_{name}": colour for name, colour in COLOURS.items()}
        others = dict.fromkeys(quantity for quantity in quantities if quantity not in of_class)
        colours = of_class | dict(zip(others, cycle(("black", "#E69F00", "#56B4E9")), strict=False))
        for name, quantity in zip(names, quantities, strict=True):
            line, whose = ("-", "training") if name == quantity else ("--", "validation")
            label_of_line = f"{quantity.replace('_', ' ').replace('f1', 'F1')}, {whose}"
            for number, (_, of_fold) in enumerate(history.groupby("fold")):
                named = label_of_line if number == 0 else None
                axes.plot(of_fold["epoch"], of_fold[name], line, color=colours[quantity], linewidth=0.9, label=named)
                kept = of_fold[of_fold["best"].astype(bool)]
                axes.plot(kept["epoch"], kept[name], "o", color=colours[quantity], markersize=4)
        axes.set(xlabel="epoch (dot: kept)", ylabel=label, ylim=(0, None if label == "loss" else 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def search_history_figure(trials: pd.DataFrame, metric: str, goal: str, title: str) -> Figure:
    """Score of every trial in the order of their beginning, with the best complete one so far.

    Trials far worse than the rest are arrows at the edge, so that the rest can be told apart.

    ``trials`` has the columns ``state``, ``score`` (NaN: none) and ``epochs_run``.
    """
    figure, (axes,) = titled_axes(title, (8.6, 4.2))
    order = pd.Series(range(len(trials)), index=trials.index)
    worst, sign = _worst_shown(trials["score"], goal), 1 if goal == "maximize" else -1
    beyond = sign * trials["score"] < sign * worst
    for state, (marker, colour) in STATES.items():
        of_state = trials["state"] == state
        shown = f"{state} ({of_state.sum()})"
        inside, outside = of_state & ~beyond, of_state & beyond
        axes.plot(order[inside], trials["score"][inside], marker, color=colour, label=shown, linestyle="none")
        edge = [worst] * int(outside.sum())
        arrow = r"$\downarrow$" if sign > 0 else r"$\uparrow$"
        axes.plot(order[outside], edge, linestyle="none", marker=arrow, color=colour, markersize=9)
    complete = trials["score"].where(trials["state"] == "complete")
    best = complete.cummax() if goal == "maximize" else complete.cummin()
    drawn = best.where(sign * best >= sign * worst).ffill()
    axes.step(order, drawn, where="post", color="black", linewidth=1.2, label="best complete so far")
    arrows = f" (arrows: {beyond.sum()} beyond the edge)" if beyond.any() else ""
    axes.set(xlabel=f"trial{arrows}", ylabel=f"{metric} after the last epoch run")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, axes)
    return figure


def _worst_shown(scores: pd.Series, goal: str) -> float:
    """Give the worst score, or three interquartile ranges from the median where it lies beyond that."""
    low, median, high = scores.quantile([0.25, 0.5, 0.75])
    reach = 3 * (high - low)
    return max(scores.min(), median - reach) if goal == "maximize" else min(scores.max(), median + reach)


def parallel_coordinates_figure(
    trials: pd.DataFrame,
    positions: pd.DataFrame,
    ticks: dict[str, list[tuple[float, str]]],
    metric: str,
    goal: str,
    title: str,
) -> Figure:
    """Draw a line a trial through its hyperparameters: bright for a poor score, dark for a good one, the best thick.

    Trials far worse than the rest have the colour, and the place on the axis of the score, of the worst one shown.

    Parameters
    ----------
    trials : DataFrame
        With the columns ``score`` and ``state``; trials without a score are left out.
    positions : DataFrame, one row a trial and one column a hyperparameter
        Where each value lies on its axis, 0 to 1.
    ticks : dict
        Of each hyperparameter the positions that are labelled, and the labels.
    metric, goal : str
    title : str
    """
    figure, (axes,) = titled_axes(title, (1.5 * (positions.shape[1] + 1), 4.6), grid=None)
    scores, states = trials["score"].to_numpy(dtype=float), trials["state"].to_numpy()
    sign = 1 if goal == "maximize" else -1
    worst = _worst_shown(trials["score"], goal)
    low, high = (worst, float(np.nanmax(scores))) if goal == "maximize" else (float(np.nanmin(scores)), worst)
    scale = Normalize(low, high if high > low else low + 1, clip=True)
    colours = colormaps["viridis_r" if goal == "maximize" else "viridis"]
    columns = range(positions.shape[1] + 1)
    ranking = np.argsort(sign * scores)[: np.isfinite(scores).sum()]
    complete = [trial for trial in ranking if states[trial] == "complete"]
    for trial in ranking:
        height = float(scale(scores[trial]))
        style = "-" if states[trial] == "complete" else ":"
        width = 3.0 if complete and trial == complete[-1] else 0.9
        heights = [*positions.iloc[trial], height]
        axes.plot(columns, heights, style, color=colours(height), linewidth=width, alpha=0.9)
    labelled = {**ticks, metric: _score_ticks(scale)}
    for column, name in enumerate([*positions.columns, metric]):
        axes.axvline(column, color="0.4", linewidth=0.8)
        for height, label in labelled[name]:
            axes.text(column + 0.04, height, label, fontsize=7, va="center", bbox=LABEL_BOX)
    axes.set_xticks(columns, [*positions.columns, metric], rotation=25, ha="right")
    axes.set(yticks=[], xlim=(-0.1, columns[-1] + 0.4), ylim=(-0.05, 1.05))
    axes.spines[:].set_visible(False)
    told = f"{metric} (dotted: ended early; thick: the best)"
    figure.colorbar(ScalarMappable(scale, colours), ax=axes, label=told, pad=0.02)
    return figure


def _score_ticks(scale: Normalize) -> list[tuple[float, str]]:
    low, high = float(scale.vmin or 0), float(scale.vmax or 0)
    found = [value for value in MaxNLocator(5).tick_values(low, high) if low <= value <= high]
    return [(float(scale(value)), f"{value:g}") for value in found]


def ablation_figure(table: pd.DataFrame, title: str) -> Figure:
    """Mean score of each changed idea, with its standard deviation over seeds, a colour a network.

    ``table`` has the columns ``model``, ``idea``, ``macro_f1_nsvf`` and ``macro_f1_nsvf_sd``; the first row of a
    network is the design that the others differ from, which a line carries on.
    """
    ideas = list(table["idea"].unique())
    models = list(table.groupby("model", sort=False))
    figure, (axes,) = titled_axes(title, (8.6, 1.8 + 0.36 * len(ideas)), grid="x")
    for number, (model, rows) in enumerate(models):
        colour, beside = GROUP_COLOURS[number], 0.3 * (number - (len(models) - 1) / 2)
        axes.axvline(rows["macro_f1_nsvf"].iloc[0], color=colour, linewidth=1, linestyle="--")
        axes.errorbar(
            rows["macro_f1_nsvf"],
            [ideas.index(idea) + beside for idea in rows["idea"]],
            xerr=rows["macro_f1_nsvf_sd"],
            fmt="o",
            color=colour,
            capsize=3,
            label=str(model).upper(),
        )
    axes.set_yticks(range(len(ideas)), ideas)
    axes.set(xlabel="macro F1 (N S V F), mean and sd over seeds", ylim=(len(ideas) - 0.4, -0.6))
    axes.legend(loc="lower left", frameon=False)
    return figure


def importance_figure(importances: dict[str, float], title: str) -> Figure:
    """Share of the variance of the score that each hyperparameter explains, the largest on top."""
    figure, (axes,) = titled_axes(title, (8.6, 1.8 + 0.3 * len(importances)), grid="x")
    names = sorted(importances, key=lambda name: importances[name])
    axes.barh(names, [importances[name] for name in names], color=GROUP_COLOURS[0])
    for row, name in enumerate(names):
        axes.text(importances[name], row, f" {importances[name]:.2f}", va="center", fontsize=8)
    of_what = "of the score after the last epoch run, of trials ended early too"
    axes.set(xlabel=f"share of the explained variance (fANOVA)\n{of_what}", xlim=(0, 1))
    return figure
