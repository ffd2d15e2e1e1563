import keras
import numpy as np
import pytest

from stages.nets.fitting import Beats, DrawnBeats, Draws, FoldFit, Settings, fit, make_deterministic, predict
from stages.nets.parallel_folds import fit_parallel_folds

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 120)
SIGNALS = RNG.normal(size=(120, 40, 1)).astype(np.float32)
SIGNALS[np.arange(120), 8 + 6 * LABELS, 0] += 4
BEATS = Beats(SIGNALS, RNG.normal(size=(120, 2)).astype(np.float32), LABELS)


def settings(seed, learning_rate=0.003):
    return Settings(
        seed, 0.0, 1e-3, patience=9, learning_rate=learning_rate, batch_size=32, epochs=2, template_swap=0.0
    )


def fit_of(fold, settings):
    """The fit to the beats outside a fold, the first or the second half of all."""
    held_out = np.arange(120) // 60 == fold
    rows = np.flatnonzero(~held_out).astype(np.int32)
    draws = Draws(rows, rows, np.zeros(60, np.float32), np.zeros(60, bool), [1.0] * 5)
    left_out = Beats(BEATS.signals[held_out], BEATS.rhythm[held_out], BEATS.labels[held_out])
    return FoldFit(str(fold), DrawnBeats(BEATS, draws, unchanged), left_out, settings)


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
    """Keeps the probabilities of the beats of its fold after each epoch."""

    def __init__(self, held_out):
        super().__init__()
        self.held_out, self.probabilities = held_out, []

    def on_epoch_end(self, epoch, logs=None):
        self.probabilities.append(predict(self.model, self.held_out.signals, self.held_out.rhythm))


@pytest.mark.slow
def test_each_fold_is_fitted_to_the_bit_as_if_alone(tmp_path):
    fits = [fit_of(0, settings(5)), fit_of(1, settings(6))]
    together = [of_folds for _, of_folds in fit_parallel_folds(network(), fits)]
    for fold, one in enumerate(fits):
        alone = Watcher(one.held_out)
        fit(network(), one, tmp_path / str(fold), [alone])
        np.testing.assert_array_equal(alone.probabilities, [of_folds[fold] for of_folds in together])
    assert not np.array_equal(alone.probabilities[0], alone.probabilities[1])


def test_a_rate_that_is_far_too_high_is_told():
    diverging = fit_parallel_folds(network(), [fit_of(0, settings(5, 1e30))])
    with pytest.raises(FloatingPointError, match="the learning rate is too high"):
        list(diverging)
