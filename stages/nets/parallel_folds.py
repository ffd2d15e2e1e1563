"""Cross-validation an epoch at a time: the fits of all folds advance together, so that it can be judged early."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from stages.nets.fitting import Augment, Beats, DrawnBatches, Draws, Settings, predict, prepare, state_of


@dataclass(frozen=True)
class Runner:
    """The fit of one fold.

    Attributes
    ----------
    beats : Beats
        What ``draws`` refers to.
    draws : Draws
        What is learned from.
    held_out : Beats
        Beats of the fold, to be scored.
    settings : Settings
        Of all folds the same but for the seed.
    """

    beats: Beats
    draws: Draws
    held_out: Beats
    settings: Settings


def fit_in_lockstep(
    network: keras.Model, runners: Sequence[Runner], augment: Augment
) -> Iterator[tuple[float, list[NDArray[np.float32]]]]:
    """Fit a network to several folds side by side, as :func:`stages.nets.fitting.fit` fits it to one.

    The folds take turns in the one network, each with its own weights and state of the optimizer, because building
    the graph of a network takes longer than a short fit. All begin with the same weights; no epoch is chosen.

    Parameters
    ----------
    network : keras.Model
        From :mod:`stages.nets.building`, built after ``make_deterministic``.
    runners : sequence of Runner
    augment : callable
        Alters the signals of draws that ask for it.

    Yields
    ------
    float
        Mean loss of the epoch.
    list of ndarray of float32, shape (held-out beats, classes)
        Probabilities that each fit gives to its held-out beats after the epoch.

    Raises
    ------
    FloatingPointError
        If a loss is no longer a number.
    """
    prepare(network, runners[0].settings, max(len(runner.draws.beat) for runner in runners))
    variables = state_of(network)
    states = [[variable.numpy() for variable in variables]] * len(runners)
    for epoch in range(runners[0].settings.epochs):
        losses, given = [], []
        for number, runner in enumerate(runners):
            for variable, value in zip(variables, states[number], strict=True):
                variable.assign(value)
            losses.append(_one_epoch(network, runner, augment, epoch))
            given.append(predict(network, runner.held_out.signals, runner.held_out.rhythm))
            states[number] = [variable.numpy() for variable in variables]
        yield float(np.mean(losses)), given


def _one_epoch(network: keras.Model, runner: Runner, augment: Augment, epoch: int) -> float:
    batches = DrawnBatches(runner.beats, runner.draws, runner.settings, augment, epoch)
    fitted = network.fit(batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0)
    loss = fitted.history["loss"][-1]
    if not np.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} after epoch {epoch + 1}; the learning rate is too high")
    return loss
