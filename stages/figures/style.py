"""The look of all figures. Nothing here touches pyplot's state.

Colours are those of Okabe & Ito, "Color Universal Design" (2008), which the colour-blind tell apart.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

COLOURS = {"N": "#999999", "S": "#0072B2", "V": "#D55E00", "F": "#009E73", "Q": "#CC79A7"}
"""Colour of each class in every figure: grey for the normal mass, a strong hue for each rare class."""

GROUP_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#F0E442")
"""Colours of the models or folds that stand side by side, in order of appearance."""

DPI = 110


def save_png(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG, whole or not at all; the same figure gives the same bytes. Makes the folder if need be.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        # Matplotlib would note its version, which differs between machines.
        figure.savefig(partial, format="png", dpi=DPI, metadata={"Software": None})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def titled_axes(
    title: str, size: tuple[float, float], columns: int = 1, sharey: bool = False, grid: str | None = "both"
) -> tuple[Figure, NDArray[np.object_]]:
    """Make a figure with a title and a row of axes; ``grid`` is both, x, y or None."""
    figure = Figure(figsize=size, layout="constrained")
    all_axes = figure.subplots(1, columns, sharey=sharey, squeeze=False)[0]
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        if grid:
            axes.grid(axis=grid, color="0.9", linewidth=0.7)
            axes.set_axisbelow(True)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure, all_axes


def legend_below(figure: Figure, axes: Axes) -> None:
    """Put the legend of one of the axes below all of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
