import keras
import numpy as np
import pytest

from stages.nets.fitting import Beats, Draws, Settings, fit, make_deterministic, predict
from stages.nets.parallel_folds import Runner, fit_in_lockstep

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 120)
SIGNALS = RNG.normal(size=(120, 40, 1)).astype(np.float32)
SIGNALS[np.arange(120), 8 + 6 * LABELS, 0] += 4
BEATS = Beats(SIGNALS, RNG.normal(size=(120, 2)).astype(np.float32), LABELS)


def settings(seed, learning_rate=0.003):
    return Settings(seed, 0.0, 1e-3, patience=9, learning_rate=learning_rate, batch_size=32, epochs=2, transplant=0.0)


def runner(fold, settings):
    """The fit to the beats outside a fold, the first or the second half of all."""
    held_out = np.arange(120) // 60 == fold
    rows = np.flatnonzero(~held_out).astype(np.int32)
    draws = Draws(rows, rows, np.zeros(60, np.float32), np.zeros(60, bool), [1.0] * 5)
    left_out = Beats(BEATS.signals[held_out], BEATS.rhythm[held_out], BEATS.labels[held_out])
    return Runner(BEATS, draws, left_out, settings)


def unchanged(signals, _):
    return signals


def network():
    """The least that has weights, a state of the optimizer and a dropout with a state of its own."""
    make_deterministic(1)
    beat, rhythm = keras.Input((40, 1), name="beat"), keras.Input((2,), name="rhythm")
    joined = keras.layers.concatenate([keras.layers.Flatten()(beat), rhythm])
    dropped = keras.layers.Dropout(0.3)(joined)
    return keras.Model([beat, rhythm], keras.layers.Dense(5, activation="softmax")(dropped))


class Watcher(keras.callbacks.Callback):
    """Keeps what the network gives to the beats of its fold after each epoch."""

    def __init__(self, held_out):
        super().__init__()
        self.held_out, self.given = held_out, []

    def on_epoch_end(self, epoch, logs=None):
        self.given.append(predict(self.model, self.held_out.signals, self.held_out.rhythm))


def test_each_fold_is_fitted_to_the_bit_as_if_alone(tmp_path):
    runners = [runner(0, settings(5)), runner(1, settings(6))]
    together = [held_out for _, held_out in fit_in_lockstep(network(), runners, unchanged)]
    for fold, one in enumerate(runners):
        alone, folder = Watcher(one.held_out), tmp_path / str(fold)
        fit(network(), one.beats, one.draws, one.held_out, one.settings, unchanged, folder, [alone])
        np.testing.assert_array_equal(alone.given, [held_out[fold] for held_out in together])
    assert not np.array_equal(alone.given[0], alone.given[1])


def test_a_rate_that_is_far_too_high_is_told():
    diverging = fit_in_lockstep(network(), [runner(0, settings(5, 1e30))], unchanged)
    with pytest.raises(FloatingPointError, match="the learning rate is too high"):
        list(diverging)
