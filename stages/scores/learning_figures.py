"""Figures of learning: the curves of a fit, the trials of a search. Each takes a ``title`` that names the protocol."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.scores.style import COLOURS, GROUP_COLOURS, legend_below, titled_axes

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

    ``trials`` has the columns ``state``, ``score`` (NaN: none) and ``epochs_run``.
    """
    figure, (axes,) = titled_axes(title, (8.0, 4.0))
    order = pd.Series(range(len(trials)), index=trials.index)
    for state, (marker, colour) in STATES.items():
        of_state = trials["state"] == state
        shown = f"{state} ({of_state.sum()})"
        axes.plot(order[of_state], trials["score"][of_state], marker, color=colour, label=shown, linestyle="none")
    complete = trials["score"].where(trials["state"] == "complete")
    best = complete.cummax() if goal == "maximize" else complete.cummin()
    axes.step(order, best.ffill(), where="post", color="black", linewidth=1.2, label="best complete so far")
    axes.set(xlabel="trial", ylabel=f"{metric} after the last epoch run")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, axes)
    return figure


def parallel_coordinates_figure(
    trials: pd.DataFrame, positions: pd.DataFrame, ticks: dict[str, list[tuple[float, str]]], metric: str, title: str
) -> Figure:
    """A line a trial through its hyperparameters, bright for a low score and dark for a high one.

    Parameters
    ----------
    trials : DataFrame
        With the column ``score``; trials without one are left out.
    positions : DataFrame, one row a trial and one column a hyperparameter
        Where each value lies on its axis, 0 to 1.
    ticks : dict
        Of each hyperparameter the positions that are labelled, and the labels.
    metric : str
    title : str
    """
    figure, (axes,) = titled_axes(title, (1.5 * (positions.shape[1] + 1), 4.6), grid=None)
    scores = trials["score"].to_numpy(dtype=float)
    low, high = np.nanmin(scores), np.nanmax(scores)
    scale = Normalize(low, high if high > low else low + 1)
    columns = range(positions.shape[1] + 1)
    for trial in np.argsort(scores)[: np.isfinite(scores).sum()]:
        height = scale(scores[trial])
        style = "-" if trials["state"].iloc[trial] == "complete" else ":"
        colour = colormaps["viridis_r"](height)
        axes.plot(columns, [*positions.iloc[trial], height], style, color=colour, linewidth=0.9, alpha=0.9)
    for column, name in enumerate(positions.columns):
        axes.axvline(column, color="0.4", linewidth=0.8)
        for height, label in ticks[name]:
            axes.text(column + 0.04, height, label, fontsize=7, va="center", bbox=LABEL_BOX)
    axes.axvline(columns[-1], color="0.4", linewidth=0.8)
    axes.set_xticks(columns, [*positions.columns, metric], rotation=25, ha="right")
    axes.set(yticks=[], xlim=(-0.1, columns[-1] + 0.1), ylim=(-0.05, 1.05))
    axes.spines[:].set_visible(False)
    figure.colorbar(ScalarMappable(scale, "viridis_r"), ax=axes, label=f"{metric} (dotted: ended early)", pad=0.02)
    return figure


def ablation_figure(table: pd.DataFrame, title: str) -> Figure:
    """Mean score of each changed idea, with its standard deviation over seeds, a panel a network.

    ``table`` has the columns ``model``, ``idea``, ``macro_f1_nsvf`` and ``macro_f1_nsvf_sd``; the first row of a
    network is the design that the others differ from.
    """
    panels = list(table.groupby("model", sort=False))
    most = max(len(rows) for _, rows in panels)
    figure, all_axes = titled_axes(title, (5.6 * len(panels), 1.4 + 0.3 * most), columns=len(panels), grid="x")
    for axes, (model, rows) in zip(all_axes, panels, strict=True):
        heights = range(len(rows), 0, -1)
        committed = rows["macro_f1_nsvf"].iloc[0]
        axes.axvline(committed, color="0.4", linewidth=1, linestyle="--")
        axes.errorbar(
            rows["macro_f1_nsvf"],
            heights,
            xerr=rows["macro_f1_nsvf_sd"],
            fmt="o",
            color=GROUP_COLOURS[0],
            capsize=3,
        )
        axes.set_yticks(heights, rows["idea"])
        axes.set(title=str(model).upper(), xlabel="macro F1 (N S V F), mean and sd over seeds", ylim=(0.4, most + 0.6))
    return figure


def importance_figure(importances: dict[str, float], title: str) -> Figure:
    """Share of the variance of the score that each hyperparameter explains, the largest on top."""
    figure, (axes,) = titled_axes(title, (7.0, 1.6 + 0.3 * len(importances)), grid="x")
    names = sorted(importances, key=lambda name: importances[name])
    axes.barh(names, [importances[name] for name in names], color=GROUP_COLOURS[0])
    for row, name in enumerate(names):
        axes.text(importances[name], row, f" {importances[name]:.2f}", va="center", fontsize=8)
    axes.set(xlabel="share of the explained variance (fANOVA)", xlim=(0, 1))
    return figure
