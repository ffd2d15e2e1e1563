"""Fitting the networks of a design: its cross-validation over the folds of the training beats, and its ensemble."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray

from stages.config.params import Tracking
from stages.ecg import aami
from stages.nets.backend import keras
from stages.nets.fitting import fit, make_deterministic, predict, processes
from stages.training.folds import Design, Fold, Training, build, fold_fit, settings_of
from stages.training.tracking import tracked_run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is fitted: a kind of network under a protocol.

    Attributes
    ----------
    title : str
        Names both, in the log and in W&B.
    protocol : str
    design : Design
    training : Training
    tracking : Tracking
    checkpoints : Path
        Folder for what a killed fit needs to go on.
    """

    title: str
    protocol: str
    design: Design
    training: Training
    tracking: Tracking
    checkpoints: Path

    @property
    def cross_validated(self) -> list[Fold]:
        """The folds that a network each leaves out: all where the members are refitted, else one a member."""
        ensemble, folds = self.design.ensemble, self.training.folds
        return folds if ensemble.refit else folds[: ensemble.members]

    @property
    def refitted(self) -> list[Fold]:
        """One for each member that is trained on all beats."""
        ensemble = self.design.ensemble
        return [self.training.all_beats] * ensemble.members if ensemble.refit else []

    def part(self, fold: Fold, number: int) -> str:
        """Name a fit among those of the plan."""
        return f"fold {fold.name}" if len(fold.held_out.labels) else f"refit {number}"


@dataclass(frozen=True)
class CrossValidated:
    """How networks did on the fold that each left out.

    Attributes
    ----------
    folds : list of Fold
        Left out by a network each.
    history : DataFrame
        Of their fits as :func:`stages.nets.fitting.fit` returns it, with the column ``fold``.
    probabilities : ndarray of float32, shape (training beats, classes)
        Of each training beat by the network that left it out; NaN where none did.
    """

    folds: list[Fold]
    history: pd.DataFrame
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Ensemble:
    """The networks whose probabilities are averaged."""

    members: list[keras.Model]


@dataclass(frozen=True)
class FittedFold:
    """What comes of one fit.

    Attributes
    ----------
    fold : Fold
    weights : list of ndarray
    history : DataFrame
        From :func:`stages.nets.fitting.fit`.
    probabilities : ndarray of float32, shape (beats of the fold, classes)
        Of the beats that were held out.
    """

    fold: Fold
    weights: list[NDArray]
    history: pd.DataFrame
    probabilities: NDArray[np.float32]


def fit_plan(plan: Plan) -> tuple[CrossValidated, Ensemble]:
    """Fit all networks of a plan side by side, a process a core.

    The networks that leave out a fold are the members of the ensemble; if the members are to be refitted, they come
    after these and are trained on all beats. The number of a fit decides its seed.
    """
    folds = [*plan.cross_validated, *plan.refitted]
    begun = time.perf_counter()
    fits: list[FittedFold] = Parallel(n_jobs=min(processes(), len(folds)))(
        delayed(fit_fold)(plan, fold, number) for number, fold in enumerate(folds)
    )
    networks = [restored(plan, fitted) for fitted in fits]
    drawn = sum(len(fitted.fold.draws.beat) * len(fitted.history) for fitted in fits)
    log.info("%s: %.0f beats/s in all, everything included", plan.title, drawn / (time.perf_counter() - begun))
    ensemble = Ensemble(networks[-plan.design.ensemble.members :])
    return cross_validated(plan, fits[: len(plan.cross_validated)]), ensemble


def fit_fold(plan: Plan, fold: Fold, number: int) -> FittedFold:
    """Fit the network of a plan that leaves out a fold, which may be in a process of its own."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    design, training, part = plan.design, plan.training, plan.part(fold, number)
    title = f"{plan.title}, {part}"
    settings = settings_of(design, number)
    make_deterministic(settings.seed)
    network = build(training, fold.scaler, design)
    log.info("%s: %d weights, %d draws", title, network.count_params(), len(fold.draws.beat))
    sections = {**design.network.model_dump(), **design.ensemble.model_dump()}
    config = {**sections, **asdict(settings), "balance": training.method}
    with tracked_run(plan.tracking, title, plan.protocol, config) as log_values:
        watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: log_values(logs))
        history = fit(network, fold_fit(training, fold, settings, title), plan.checkpoints / part, [watcher])
    probabilities = np.empty((0, len(aami.CLASSES)), dtype=np.float32)
    if len(fold.held_out.labels):
        probabilities = predict(network, fold.held_out.signals, fold.held_out.rhythm)
    return FittedFold(fold, network.get_weights(), history, probabilities)


def restored(plan: Plan, fitted: FittedFold) -> keras.Model:
    """Build the network of a fit again, with the weights that came of it."""
    network = build(plan.training, fitted.fold.scaler, plan.design)
    network.set_weights(fitted.weights)
    return network


def cross_validated(plan: Plan, fits: Sequence[FittedFold]) -> CrossValidated:
    """Put together what fits gave to the fold that each left out."""
    probabilities = np.full((len(plan.training.table), len(aami.CLASSES)), np.nan, dtype=np.float32)
    for fitted in fits:
        probabilities[fitted.fold.rows] = fitted.probabilities
    history = pd.concat([fitted.history.assign(fold=fitted.fold.name) for fitted in fits])
    return CrossValidated([fitted.fold for fitted in fits], history, probabilities)
