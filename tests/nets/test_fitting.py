import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from stages.nets.building import CnnArchitecture, Inputs, build_cnn
from stages.nets.fitting import (
    Beats,
    DrawnBatches,
    DrawnBeats,
    Draws,
    FoldFit,
    Settings,
    Validation,
    fit,
    make_deterministic,
)

SETTINGS = Settings(
    seed=3,
    focal_gamma=2.0,
    weight_decay=1e-3,
    patience=10,
    learning_rate=3e-3,
    batch_size=32,
    epochs=4,
    template_swap=0.0,
)


def toy_beats(count, seed):
    """Bumps whose width tells the class; N S V F in unequal numbers."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 0, 0, 0, 1, 2, 2, 3], count).astype(np.int8)
    width = np.array([3, 6, 12, 24, 1])[labels][:, None]
    signals = np.exp(-(((np.arange(60) - 30) / width) ** 2)) + rng.normal(0, 0.02, (count, 60))
    return Beats(signals[:, :, None].astype(np.float32), rng.normal(size=(count, 2)).astype(np.float32), labels)


def each_once(count):
    rows = np.arange(count, dtype=np.int32)
    return Draws(rows, rows, np.zeros(count, np.float32), np.zeros(count, bool), [1.0] * 5)


def unchanged(signals, _):
    return signals


def small_network():
    make_deterministic(SETTINGS.seed)
    return build_cnn(Inputs((60, 1), [0.0, 0.0], [1.0, 1.0]), CnnArchitecture(8, 8, 8, 16, 0.3, True))


def run(folder, callbacks=(), settings=SETTINGS, train=None, validated=True):
    drawn = DrawnBeats(toy_beats(400, 1) if train is None else train, each_once(400), unchanged)
    held_out = toy_beats(200 if validated else 0, 2)
    model = small_network()
    history = fit(model, FoldFit("toy", drawn, held_out, settings), folder, callbacks)
    return model, history


class Killed(Exception):
    pass


def killer(epoch_to_die):
    def die(epoch, logs):
        if epoch == epoch_to_die:
            raise Killed

    return keras.callbacks.LambdaCallback(on_epoch_end=die)


def scores_of(model):
    """Score a network on the held-out beats."""
    validation = Validation(toy_beats(200, 2))
    validation.set_model(model)
    logs = {}
    validation.on_epoch_end(0, logs)
    return logs


def recorder():
    """Give a callback that records epochs, and its record."""
    epochs = []
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch)), epochs


def assert_same(weights, others):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, other)


@dataclass
class Fitted:
    """A fit that was not interrupted."""

    folder: Path
    history: pd.DataFrame
    weights: list
    scores: dict


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    model, history = run(folder)
    return Fitted(folder, history, model.get_weights(), scores_of(model))


@pytest.fixture(scope="module")
def killed_in_epoch_1(tmp_path_factory):
    """The folder of the same fit, killed."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.raises(Killed):
        run(folder, [killer(1)])
    return folder


@pytest.fixture
def killed(killed_in_epoch_1, tmp_path):
    """A copy of it, to go on with."""
    return shutil.copytree(killed_in_epoch_1, tmp_path / "killed")


def test_learns_and_reports(fitted):
    history = fitted.history
    assert history["loss"].iloc[-1] < 0.75 * history["loss"].iloc[0]
    assert history["val_accuracy"].iloc[-1] > 0.55  # always N scores 0.5
    assert history["epoch"].tolist() == [0, 1, 2, 3]
    assert history["best"].sum() == 1
    assert {"val_loss", "val_accuracy", "val_macro_f1", "val_f1_S"} <= set(history.columns)


def test_the_best_epoch_is_kept(fitted):
    assert fitted.scores["val_macro_f1"] == pytest.approx(fitted.history["val_macro_f1"].max())


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(fitted, tmp_path):
    again, _ = run(tmp_path)
    assert_same(again.get_weights(), fitted.weights)


@pytest.mark.slow
def test_a_killed_fit_goes_on_and_ends_with_the_same_weights(fitted, killed, caplog):
    watcher, epochs = recorder()
    with caplog.at_level("INFO"):
        resumed, history = run(killed, [watcher])
    assert "toy: epoch 4/4  loss" in caplog.text
    assert epochs == [2, 3]
    assert history.equals(fitted.history)
    assert_same(resumed.get_weights(), fitted.weights)


def test_a_finished_fit_is_not_made_again(fitted):
    again, history = run(fitted.folder, [killer(0)])
    assert history.equals(fitted.history)
    assert_same(again.get_weights(), fitted.weights)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["settings", "data"])
def test_a_checkpoint_of_something_else_is_not_taken_up(killed, what):
    watcher, epochs = recorder()
    if what == "settings":
        run(killed, [watcher], settings=replace(SETTINGS, learning_rate=1e-3))
    else:
        run(killed, [watcher], train=toy_beats(400, 9))
    assert epochs == [0, 1, 2, 3]


@pytest.mark.slow
def test_stops_when_nothing_gets_better(tmp_path):
    settings = replace(SETTINGS, learning_rate=1e-6, patience=2, epochs=30)
    _, history = run(tmp_path / "fit", settings=settings)
    assert len(history) == history.loc[history["best"], "epoch"].item() + 1 + 2


@pytest.mark.slow
def test_without_patience_the_last_epoch_is_kept_with_a_validation_or_without(tmp_path):
    settings = replace(SETTINGS, patience=None)
    validated, history = run(tmp_path / "validated", settings=settings)
    assert history["best"].tolist() == [False, False, False, True]
    alone, curve = run(tmp_path / "alone", settings=settings, validated=False)
    assert list(curve) == ["epoch", "loss", "best"]
    assert_same(validated.get_weights(), alone.get_weights())


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_an_error(tmp_path):
    settings = replace(SETTINGS, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="lower train"):
        run(tmp_path / "fit", settings=settings)
    assert not (tmp_path / "fit").exists()


def test_every_draw_comes_once_an_epoch_in_a_new_order():
    beats, draws = toy_beats(100, 1), each_once(100)
    batches = DrawnBatches(DrawnBeats(beats, draws, unchanged), SETTINGS)
    first = np.concatenate([batches[i][0]["beat"] for i in range(len(batches))])
    batches.on_epoch_end()
    second = np.concatenate([batches[i][0]["beat"] for i in range(len(batches))])
    assert sorted(beat.tobytes() for beat in first) == sorted(beat.tobytes() for beat in beats.signals)
    assert sorted(beat.tobytes() for beat in second) == sorted(beat.tobytes() for beat in beats.signals)
    assert not np.array_equal(first, second)


def test_mixed_draws_lie_between_the_beats():
    beats = toy_beats(2, 1)
    draws = Draws(
        np.array([0], np.int32), np.array([1], np.int32), np.array([0.25], np.float32), np.zeros(1, bool), [1.0] * 5
    )
    inputs, _, _ = DrawnBatches(DrawnBeats(beats, draws, unchanged), SETTINGS)[0]
    np.testing.assert_allclose(inputs["beat"][0], 0.75 * beats.signals[0] + 0.25 * beats.signals[1], rtol=1e-5)
    np.testing.assert_allclose(inputs["rhythm"][0], 0.75 * beats.rhythm[0] + 0.25 * beats.rhythm[1], rtol=1e-5)


def test_only_altered_draws_are_augmented_and_the_beats_stay_as_they_are():
    beats = toy_beats(10, 1)
    kept = beats.signals.copy()
    rows = np.arange(10, dtype=np.int32)
    draws = Draws(rows, rows, np.zeros(10, np.float32), rows >= 5, [1.0] * 5)
    batches = DrawnBatches(DrawnBeats(beats, draws, lambda signals, rng: signals + 100), SETTINGS)
    inputs, _, _ = batches[0]
    assert ((inputs["beat"].max(axis=(1, 2)) > 50) == (batches.order >= 5)).all()
    np.testing.assert_array_equal(beats.signals, kept)


def test_median_beats_are_swapped_anew_each_epoch_as_the_settings_say():
    beats = toy_beats(200, 1)
    pairs = Beats(np.concatenate([beats.signals, 0.5 * beats.signals], axis=2), beats.rhythm, beats.labels)
    settings = replace(SETTINGS, template_swap=1.0, batch_size=200)
    batches = DrawnBatches(DrawnBeats(pairs, each_once(200), unchanged), settings)
    shown = []
    for _ in range(2):
        moved = np.abs(batches[0][0]["beat"] - pairs.signals[batches.order]).max(axis=(1, 2)) > 1e-6
        of_v = beats.labels[batches.order] == 2
        assert moved[of_v].mean() > 0.9
        assert moved[~of_v].mean() < 0.5
        shown.append(batches[0][0]["beat"][of_v].sum())
        batches.on_epoch_end()
    assert shown[0] != shown[1]


def test_class_weights_reach_the_loss():
    beats = toy_beats(50, 1)
    draws = Draws(*[getattr(each_once(50), name) for name in ("beat", "partner", "mix", "altered")], [1, 2, 3, 4, 5])
    batches = DrawnBatches(DrawnBeats(beats, draws, unchanged), SETTINGS)
    _, one_hot, weights = batches[0]
    np.testing.assert_array_equal(weights, one_hot.argmax(axis=1) + 1)
