"""Figures: what they show, and that the same data always make the same file."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from stages.ecg.aami import CLASSES
from stages.figures import learning as learning_figures
from stages.figures import scores as figures
from stages.figures import style
from stages.scores import curves, per_beat

TITLE = "cnn, inter_patient"
RECORDS = ("100", "200", "232")


def draw():
    """One of each figure, by name, from made-up beats that are the same at every call."""
    rng = np.random.default_rng(7)
    truth = rng.choice(5, 400, p=[0.7, 0.1, 0.1, 0.09, 0.01])
    probabilities = rng.dirichlet(np.ones(5), 400) * 0.5 + 0.5 * np.eye(5)[truth]
    predicted = probabilities.argmax(axis=1)
    records = rng.choice(RECORDS, 400)
    epochs = np.arange(1, 6)
    history = pd.DataFrame(
        {"epoch": epochs, "loss": 1 / epochs, "val_loss": 1.1 / epochs, "val_macro_f1": epochs / 10}
        | {"val_f1_V": epochs / 8}
    )
    history = pd.concat([history.assign(fold=fold, best=epochs == kept) for fold, kept in (("1", 5), ("2", 3))])
    models = pd.DataFrame(
        [(m, c, k, np.nan if c == "Q" else 0.5) for m in ("cnn", "rnn") for c in CLASSES for k in ("se", "ppv", "f1")],
        columns=["model", "class", "metric", "value"],
    )
    counts = pd.DataFrame(
        [(fold, name, 10 * position) for fold in ("train", "test") for position, name in enumerate(CLASSES)],
        columns=["fold", "class", "beats"],
    )
    times = np.arange(100) / 360
    means = rng.normal(size=(2, 100))
    return {
        "confusion": figures.confusion_figure(per_beat.confusion(truth, predicted), TITLE),
        "roc": figures.roc_figure(curves.roc_points(truth, probabilities), TITLE),
        "pr": figures.pr_figure(curves.pr_points(truth, probabilities), TITLE),
        "learning": learning_figures.learning_curves_figure(history, TITLE),
        "heatmap": figures.record_heatmap(per_beat.scores_of_records(records, truth, predicted), TITLE),
        "comparison": figures.comparison_figure(models, TITLE),
        "beats": figures.beats_figure(means, np.ones((2, 100)), times, ["N", "V"], TITLE),
        "strip": figures.rhythm_strip(times, means[0], [0.05, 0.2], ["N", "+"], TITLE),
        "rr": figures.rr_scatter(np.full(400, 0.8), np.linspace(0.4, 3.0, 400), truth, TITLE),
        "counts": figures.class_count_figure(counts, TITLE),
    }


@pytest.fixture(scope="module")
def drawn():
    return draw()


NAMES = ("confusion", "roc", "pr", "learning", "heatmap", "comparison", "beats", "strip", "rr", "counts")


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_carries_its_title_and_labels_its_axes(drawn, name):
    figure = drawn[name]
    assert TITLE in figure.get_suptitle()
    assert all(axes.get_xlabel() or figure.get_supxlabel() for axes in figure.axes if axes.get_label() != "<colorbar>")
    assert figure.axes[0].get_ylabel()


@pytest.mark.slow
def test_the_same_data_make_the_same_bytes(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "DPI", 40)
    again = draw()
    for name in NAMES:
        style.save_png(drawn[name], tmp_path / "first" / f"{name}.png")
        style.save_png(again[name], tmp_path / "second" / f"{name}.png")
        first = (tmp_path / "first" / f"{name}.png").read_bytes()
        assert first == (tmp_path / "second" / f"{name}.png").read_bytes(), name
        assert first.startswith(b"\x89PNG")
        assert b"Software" not in first


def test_pyplot_knows_of_no_figure(drawn):
    assert drawn
    assert pyplot.get_fignums() == []


def test_heatmap_has_a_row_for_each_record_and_shows_how_many_beats_stand_behind_a_sensitivity(drawn):
    axes = drawn["heatmap"].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(RECORDS)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["S Se", "S +P", "V Se", "V +P", "F Se", "F +P"]
    assert axes.images[0].get_array().shape == (3, 6)
    assert " of " in axes.texts[0].get_text()


def test_heatmap_shows_a_dash_where_a_ratio_is_undefined():
    table = per_beat.scores_of_records(np.array(["100", "100"]), np.array([0, 0]), np.array([0, 0]))
    assert {text.get_text() for text in figures.record_heatmap(table, TITLE).axes[0].texts} == {"–"}


def test_confusion_shades_by_the_share_of_the_true_class():
    axes = figures.confusion_figure(per_beat.confusion([0, 0, 0, 0, 1], [0, 0, 0, 1, 1]), TITLE).axes[0]
    shares = np.asarray(axes.images[0].get_array())
    assert shares[0].tolist() == [0.75, 0.25, 0, 0, 0]
    assert shares[1].tolist() == [0, 1, 0, 0, 0]
    assert axes.texts[0].get_text() == "3\n75.0 %"
    assert axes.texts[-1].get_text() == "0"


def test_curves_are_coloured_by_class(drawn):
    lines = {line.get_label(): line.get_color() for line in drawn["roc"].axes[0].get_lines()}
    assert {name: lines[name] for name in "NSVF"} == {name: style.COLOURS[name] for name in "NSVF"}


def test_learning_curves_split_losses_from_scores_and_draw_each_fold(drawn):
    loss, scores = drawn["learning"].axes
    named = [[line.get_label() for line in axes.get_lines() if line.get_label()[0] != "_"] for axes in (loss, scores)]
    assert named == [["loss, training", "loss, validation"], ["macro F1, validation", "F1 V, validation"]]
    dashed = [line for line in scores.get_lines() if line.get_linestyle() == "--"]
    assert len(dashed) == 4  # two quantities, two folds
    assert dashed[-1].get_color() == style.COLOURS["V"]
    kept = [line for line in scores.get_lines() if line.get_marker() == "o"]
    assert {tuple(line.get_xdata()) for line in kept} == {(5,), (3,)}


def test_the_rarest_class_is_drawn_on_top(drawn):
    labels = [points.get_label() for points in drawn["rr"].axes[0].collections]
    counts = [int(label.split("(")[1].rstrip(")")) for label in labels]
    assert labels[0].startswith("N")
    assert counts == sorted(counts, reverse=True)


def test_intervals_off_the_scale_are_owned_up_to(drawn):
    assert "beats lie beyond 2.5 s" in drawn["rr"].axes[0].get_legend().get_title().get_text()


def test_comparison_has_a_bar_per_model_and_class_and_a_dash_where_undefined(drawn):
    precision = drawn["comparison"].axes[0]
    assert [container.get_label() for container in precision.containers] == ["cnn", "rnn"]
    assert [len(container) for container in precision.containers] == [5, 5]
    assert [text.get_text().strip() for text in precision.texts] == (["0.50"] * 4 + ["–"]) * 2


def test_class_counts_are_on_a_log_scale_with_zero_written_out(drawn):
    axes = drawn["counts"].axes[0]
    assert axes.get_yscale() == "log"
    assert axes.texts[0].get_text().strip() == "0"


def test_the_strip_shows_the_symbol_of_every_beat(drawn):
    assert [text.get_text() for text in drawn["strip"].axes[0].texts] == ["N", "+"]


def test_a_strip_marks_the_beat_at_its_middle_among_the_true_symbols_around_it():
    times = np.linspace(-2, 2, 400)
    strip = figures.Strip(times, np.sin(times), np.array([-1.0, 0.0, 1.0]), ["N", "V→N", "A"], "232 at 10.0 s")
    axes = figures.strips_figure([strip], (-0.25, 0.3), TITLE).axes[0]
    marked = {text.get_text(): (text.get_position()[0], text.get_color()) for text in axes.texts}
    assert marked == {"N": (-1, "black"), "V→N": (0, style.COLOURS["V"]), "A": (1, style.COLOURS["S"])}


def test_bins_of_a_few_beats_are_hollow():
    points = pd.DataFrame({"confidence": [0.4, 0.6, 0.9], "accuracy": [0.0, 0.5, 0.9], "beats": [1, 20, 10_000]})
    axes = figures.reliability_figure(points, 0.01, TITLE).axes[0]
    filled = {line.get_markerfacecolor(): list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"}
    assert filled == {style.COLOURS["S"]: [0.6, 0.9], "white": [0.4]}


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    class Broken:
        def savefig(self, path, **_):
            path.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        style.save_png(Broken(), tmp_path / "figure.png")
    assert list(tmp_path.iterdir()) == []
