"""Pictures from numbers that are made up."""

import numpy as np
import pandas as pd
import pytest

from stages import draw, draw_searches
from stages.config import paths
from stages.ecg.recordings import Recording
from stages.files.writing import write_json


@pytest.fixture
def recording():
    samples = np.array([100, 400, 700, 1000])
    return Recording("100", "MLII", 100.0, np.arange(1200.0), samples, np.array(list("NVNA")))


def test_a_stretch_around_a_time_has_its_signal_and_beats(recording):
    first, around = recording.around(5.0, 4.0)
    assert (first, around.signal[0], len(around.signal)) == (300, 300.0, 400)
    assert around.samples.tolist() == [100]
    assert around.symbols.tolist() == ["V"]


def test_a_stretch_ends_with_the_recording(recording):
    first, around = recording.around(0.5, 4.0)
    assert (first, len(around.signal)) == (0, 250)
    first, around = recording.around(11.5, 4.0)
    assert (first, len(around.signal), around.samples.tolist()) == (950, 250, [50])


def test_the_strip_of_a_mistake_says_what_the_beat_was_called(recording):
    beat = {"record": "100", "time_s": 4.0, "sample": 400, "true": "V", "predicted": "N", "confidence": 0.98765}
    strip = draw.strip_of(recording, beat)
    assert strip.times_s[0] == -2.5
    assert strip.symbols == ["V→N"]
    assert strip.beat_times_s.tolist() == [0.0]
    assert strip.caption == "100 at 4.0 s: V→N with 0.988"


def test_classes_stand_in_their_order_and_not_that_of_the_alphabet():
    pairs = [(a, p, 10 * i + j) for i, a in enumerate("FNQSV") for j, p in enumerate("VSQNF")]
    matrix = draw.matrix_of(
        pd.DataFrame(pairs, columns=["actual", "predicted", "beats"]), "actual", "predicted", "beats"
    )
    assert list(matrix.index) == list(matrix.columns) == list("NSVFQ")
    assert matrix.loc["N", "N"] == 13
    assert matrix.loc["V", "S"] == 41


def test_pairs_without_beats_have_no_mean():
    table = pd.DataFrame({"actual": "N", "predicted": "S", "beats": 7, "time_s": [0.0, 0.1], "mean": [1.0, 2.0]})
    means, counts, times_s = draw.pairs_of(table)
    assert means[0, 1].tolist() == [1.0, 2.0]
    assert np.isnan(means[1, 0]).all()
    assert counts.sum() == counts[0, 1] == 7
    assert times_s.tolist() == [0.0, 0.1]


def test_the_class_called_n_a_is_no_missing_value(tmp_path):
    (tmp_path / "a.csv").write_text("record,fold,class,f1\n100,1,N,\n")
    table = draw.table_of(tmp_path / "a.csv")
    assert table.loc[0, ["record", "fold", "class"]].tolist() == ["100", "1", "N"]
    assert np.isnan(table.loc[0, "f1"])


@pytest.fixture
def searches(tmp_path, monkeypatch):
    """Two searches of three trials, one of which ended early."""
    monkeypatch.setattr(paths, "METRICS", tmp_path)
    for model in ("cnn", "rnn"):
        folder = tmp_path / "sweep" / model
        about = {"title": f"{model}: SYNTHETIC search", "metric": "val_macro_f1", "goal": "maximize"}
        write_json(folder / "search.json", about)
        trials = pd.DataFrame({"trial": [0, 1, 2], "state": ["complete", "pruned", "failed"], "epochs_run": [4, 2, 0]})
        trials.assign(score=[0.6, 0.4, np.nan]).to_csv(folder / "trials.csv", index=False)
        positions = pd.DataFrame({"trial": [0, 1], "dropout_rate": [0.2, 0.9], "batch_size": [0.0, 1.0]})
        positions.to_csv(folder / "positions.csv", index=False)
        ticks = [("dropout_rate", 0.0, "0.05"), ("dropout_rate", 1.0, "0.5"), ("batch_size", 0.0, "128")]
        ticks = pd.DataFrame(ticks, columns=["hyperparameter", "position", "label"])
        ticks.to_csv(folder / "ticks.csv", index=False)
        shares = pd.DataFrame({"hyperparameter": ["dropout_rate", "batch_size"], "importance": [0.75, 0.25]})
        shares.to_csv(folder / "importances.csv", index=False)
    return tmp_path / "sweep" / "figures"


def test_a_search_is_drawn_from_its_numbers(searches):
    draw_searches.draw_searches(None)
    kinds = ("history", "importance", "parallel")
    assert sorted(path.stem for path in searches.iterdir()) == [f"{m}_{kind}" for m in ("cnn", "rnn") for kind in kinds]
    figures = dict(draw_searches.draw_search("cnn"))
    assert "3 trials, macro F1 on DS1" in figures["history"].get_suptitle()
