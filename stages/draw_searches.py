"""Draw the searches of hyperparameters, from the numbers that sweep has written.

``metrics/sweep/<model>/`` in; ``metrics/sweep/figures/`` out: the score of each trial, hyperparameters and score side
by side, and how much hangs on each hyperparameter.
"""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from stages.config import paths
from stages.config.params import MODELS, Params
from stages.config.runner import run_stage
from stages.figures import learning
from stages.figures.style import save_png
from stages.files.writing import read_json


def draw_searches(params: Params) -> None:
    """Draw every search."""
    for model in MODELS:
        for name, figure in draw_search(model):
            save_png(figure, paths.METRICS / "sweep" / "figures" / f"{model}_{name}.png")


def draw_search(model: str) -> Iterator[tuple[str, Figure]]:
    """Draw one search."""
    folder = paths.METRICS / "sweep" / model
    about = read_json(folder / "search.json")
    names = ("trials", "positions", "ticks", "importances")
    tables = {name: pd.read_csv(folder / f"{name}.csv", dtype={"label": str}) for name in names}
    metric, goal, trials = about["metric"], about["goal"], tables["trials"]
    score = metric.removeprefix("val_").replace("_", " ").replace("f1", "F1")
    title = f"{about['title']}, {len(trials)} trials, {score} on DS1 (cross-validated)"
    yield "history", learning.search_history_figure(trials, metric, goal, title)
    scored = trials[trials["score"].notna()].reset_index(drop=True)
    positions = tables["positions"].drop(columns="trial")
    ticks = {
        str(name): [(float(tick["position"]), tick["label"]) for tick in of_axis.to_dict("records")]
        for name, of_axis in tables["ticks"].groupby("hyperparameter", sort=False)
    }
    yield "parallel", learning.parallel_coordinates_figure(scored, positions, ticks, metric, goal, title)
    shares = dict(tables["importances"].itertuples(index=False, name=None))
    yield "importance", learning.importance_figure(shares, title)


if __name__ == "__main__":
    run_stage(draw_searches)
