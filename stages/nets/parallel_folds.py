"""Cross-validation an epoch at a time: the fits of all folds advance together, so that it can be ended early."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.nets.backend import keras
from stages.nets.fitting import DrawnBatches, FoldFit, predict, prepare, state_of


def fit_parallel_folds(
    network: keras.Model, fits: Sequence[FoldFit]
) -> Iterator[tuple[float, list[NDArray[np.float32]]]]:
    """Fit a network to several folds side by side, as :func:`stages.nets.fitting.fit` fits it to one.

    The folds take turns in the one network, each with its own weights and state of the optimizer, because building
    the graph of a network takes longer than a short fit. All begin with the same weights; no epoch is chosen.

    Parameters
    ----------
    network : keras.Model
        From :mod:`stages.nets.building`, built after ``make_deterministic``.
    fits : sequence of FoldFit
        Their settings differ by the seed alone.

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
    prepare(network, fits[0].settings, max(len(fit.drawn) for fit in fits))
    variables = state_of(network)
    states = [[variable.numpy() for variable in variables]] * len(fits)
    for epoch in range(fits[0].settings.epochs):
        losses, probabilities = [], []
        for number, fit in enumerate(fits):
            for variable, value in zip(variables, states[number], strict=True):
                variable.assign(value)
            losses.append(_one_epoch(network, fit, epoch))
            probabilities.append(predict(network, fit.held_out.signals, fit.held_out.rhythm))
            states[number] = [variable.numpy() for variable in variables]
        yield float(np.mean(losses)), probabilities


def _one_epoch(network: keras.Model, fit: FoldFit, epoch: int) -> float:
    batches = DrawnBatches(fit.drawn, fit.settings, epoch)
    fitted = network.fit(batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0)
    loss = fitted.history["loss"][-1]
    if not np.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} after epoch {epoch + 1}; the learning rate is too high")
    return loss
