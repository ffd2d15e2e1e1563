"""Figures of a search, one trial of which went wrong."""

import numpy as np
import pandas as pd
import pytest

from stages.figures.learning import importance_figure, parallel_coordinates_figure, search_history_figure

SCORES = [0.60, 0.61, 0.05, 0.62, 0.63, 0.59]
STATES = ["complete", "pruned", "complete", "complete", "pruned", "complete"]
TRIALS = pd.DataFrame({"state": STATES, "score": SCORES, "epochs_run": 4})
PLACES = pd.DataFrame({"x": np.linspace(0, 1, 6)})
TICKS = {"x": [(0.0, "low"), (1.0, "high")]}


def drawn_lines(goal="maximize", trials=TRIALS, places=PLACES, ticks=TICKS):
    (axes, _) = parallel_coordinates_figure(trials, places, ticks, "macro F1", goal, "SYNTHETIC").axes
    lines = [line for line in axes.get_lines() if len(line.get_xdata()) == places.shape[1] + 1]
    return axes, [line for line in lines if line.get_linewidth() != 0.8]


def test_a_trial_far_below_the_rest_is_an_arrow_at_the_edge_of_the_history():
    (axes,) = search_history_figure(TRIALS, "macro F1", "maximize", "SYNTHETIC").axes
    assert axes.get_ylim()[0] > 0.5
    (arrow,) = [line for line in axes.get_lines() if "arrow" in str(line.get_marker()) and len(line.get_xdata())]
    assert list(arrow.get_xdata()) == [2]
    assert "arrow" in axes.get_xlabel()


def test_without_such_a_trial_there_is_no_arrow():
    (axes,) = search_history_figure(TRIALS.drop(index=2), "macro F1", "maximize", "SYNTHETIC").axes
    assert "arrow" not in axes.get_xlabel()


def test_colours_tell_the_rest_apart_and_the_best_complete_trial_is_thick():
    axes, lines = drawn_lines()
    heights = [line.get_ydata()[-1] for line in lines]
    assert heights[0] == 0
    assert np.ptp(heights[1:]) > 0.3
    (best,) = [line for line in lines if line.get_linewidth() == 3]
    assert best.get_ydata()[0] == pytest.approx(0.6)  # trial 3
    assert {"low", "high", "0.6"} <= {text.get_text() for text in axes.texts}


def test_for_a_loss_the_lowest_is_the_best():
    _, lines = drawn_lines("minimize")
    (best,) = [line for line in lines if line.get_linewidth() == 3]
    assert best.get_ydata()[0] == pytest.approx(0.4)  # trial 2


def test_without_anything_to_search_there_is_an_empty_frame():
    _, lines = drawn_lines(places=pd.DataFrame(index=range(6)), ticks={})
    assert lines
    assert importance_figure({}, "SYNTHETIC").axes


def test_equal_scores_are_drawn():
    assert drawn_lines(trials=TRIALS.assign(score=0.5))[1]
    assert search_history_figure(TRIALS.assign(score=0.5), "macro F1", "maximize", "SYNTHETIC").axes
