import numpy as np
import pandas as pd
import pytest

from stages.scores import curves, figures, plain

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 5, 200)
PROBABILITIES = RNG.dirichlet(np.ones(5), 200)
CALLED = PROBABILITIES.argmax(axis=1)
RECORDS = np.repeat(["100", "103", "200", "232"], 50)
TITLE = "CNN, patient-mixed, SYNTHETIC data"

HISTORY = pd.DataFrame(
    {
        **{"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.4]},
        **{"val_macro_f1": [0.2, 0.4, 0.5], "val_accuracy": [0.8, 0.9, 0.9], "best": [False, False, True]},
    }
)
COMPARED = pd.DataFrame(
    [(m, c, s, 0.5) for m in ("cnn", "rnn", "ensemble") for c in "NSVFQ" for s in ("se", "ppv", "f1")],
    columns=["model", "class", "metric", "value"],
)
COUNTS = pd.DataFrame([(f, c, 10) for f in ("train", "test") for c in "NSVFQ"], columns=["fold", "class", "beats"])

DRAWN = {
    "confusion": lambda: figures.confusion_figure(plain.confusion(TRUTH, CALLED), TITLE),
    "roc": lambda: figures.roc_figure(curves.roc_points(TRUTH, PROBABILITIES), TITLE),
    "pr": lambda: figures.pr_figure(curves.pr_points(TRUTH, PROBABILITIES), TITLE),
    "learning": lambda: figures.learning_curves_figure(HISTORY, TITLE),
    "records": lambda: figures.record_heatmap(plain.record_table(RECORDS, TRUTH, CALLED), TITLE),
    "comparison": lambda: figures.comparison_figure(COMPARED, TITLE),
    "counts": lambda: figures.class_count_figure(COUNTS, TITLE),
    "beats": lambda: figures.beats_figure(np.ones((5, 9)), np.ones((5, 9)), np.arange(9) / 9, "NSVFQ", TITLE),
    "strip": lambda: figures.rhythm_strip(np.arange(99) / 9, np.sin(np.arange(99)), [2.0, 5.0], ["N", "V"], TITLE),
    "scatter": lambda: figures.rr_scatter(RNG.random(200) + 0.5, np.full(200, 0.8), TRUTH, TITLE),
}


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_carries_its_label(name):
    assert "SYNTHETIC" in words(DRAWN[name]())


@pytest.mark.parametrize("name", ["roc", "pr", "learning", "beats", "strip", "scatter", "counts", "confusion"])
def test_axes_are_labelled(name):
    axes = DRAWN[name]().axes
    assert any(a.get_xlabel() for a in axes) or DRAWN[name]().get_supxlabel()
    assert any(a.get_ylabel() for a in axes) or DRAWN[name]().get_supylabel()


@pytest.mark.parametrize("name", ["confusion", "records", "learning"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, name):
    for copy in ("a", "b"):
        figures.save_png(DRAWN[name](), tmp_path / "made" / f"{copy}.png")
    assert (tmp_path / "made" / "a.png").read_bytes() == (tmp_path / "made" / "b.png").read_bytes()
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["a.png", "b.png"]


def test_the_heatmap_has_a_row_a_record():
    shown = words(DRAWN["records"]())
    assert all(record in shown for record in ("100", "103", "200", "232"))
