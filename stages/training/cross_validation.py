"""The score that a search of hyperparameters is for: cross-validation on the training patients."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from stages.config.params import DESIGN_PROTOCOL, NETWORKS, Params
from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.nets.fitting import FoldFit, make_deterministic
from stages.nets.parallel_folds import fit_parallel_folds
from stages.search.space import SweepConfiguration
from stages.search.trials import Report
from stages.training.folds import Design, Fold, OutOfFoldScorer, build, fold_fit, read_training, settings_of

UNSCALED = {"center": [0.0] * len(FEATURES), "scale": [1.0] * len(FEATURES)}
"""A scaler that leaves rhythm features as they are."""


class CrossValidation:
    """Scores hyperparameters after each epoch: every training beat by the network that left out its fold.

    Parameters
    ----------
    params : Params
    model : str
        A key of ``NETWORKS``.
    """

    def __init__(self, params: Params, model: str) -> None:
        self.model, self.train, self.sweep = model, params.train, params.sweep
        self.ensemble = params.train.ensemble(DESIGN_PROTOCOL)
        self.training = read_training(DESIGN_PROTOCOL).subsampled(params.sweep.fraction_of_beats, params.sweep.seed)
        self.out_of_fold = OutOfFoldScorer(self.training, self.ensemble, self.training.folds)

    def __call__(self, config: dict[str, Any], report: Report) -> None:
        """Fit one network a fold with these hyperparameters and report the scores of all after each epoch."""
        design = Design(self.train, NETWORKS[self.model].model_validate(config, strict=False), self.ensemble)
        begun = time.perf_counter()
        make_deterministic(self.train.seed)
        network = build(self.training, UNSCALED, design)
        fits = [self.fit_of(fold, design, number) for number, fold in enumerate(self.training.folds)]
        probabilities = np.empty((len(self.training.table), len(aami.CLASSES)), dtype=np.float32)
        beats_in_epoch = sum(len(fit.drawn) for fit in fits)
        for epoch, (loss, of_folds) in enumerate(fit_parallel_folds(network, fits), start=1):
            for fold, of_fold in zip(self.training.folds, of_folds, strict=True):
                probabilities[fold.rows] = of_fold
            scores = self.out_of_fold.scores(probabilities)
            report(
                {
                    "loss": loss,
                    "val_macro_f1": scores["macro_f1_nsvf"],
                    "val_accuracy": scores["accuracy"],
                    **{f"val_f1_{name}": scores[f"f1_{name}"] for name in "NSVF"},
                    "epochs_run": epoch,
                    "of_epochs": fits[0].settings.epochs,
                    "beats_drawn": epoch * beats_in_epoch,
                    "seconds": time.perf_counter() - begun,
                }
            )

    def fit_of(self, fold: Fold, design: Design, number: int) -> FoldFit:
        """Scale the rhythm features for a fold: all share a network, which a scaler inside would tie to one."""
        center, scale = (np.asarray(fold.scaler[name], dtype=np.float32) for name in ("center", "scale"))
        beats, held_out = (
            replace(some, rhythm=(some.rhythm - center) / scale) for some in (self.training.beats, fold.held_out)
        )
        settings = settings_of(design, number, self.sweep.fraction_of_epochs)
        return fold_fit(replace(self.training, beats=beats), replace(fold, held_out=held_out), settings, fold.name)

    def most_epochs(self, configuration: SweepConfiguration) -> int:
        """Count the epochs of the longest trial that the configuration allows."""
        epochs = max(float(value) for value in configuration.parameters["epochs"].extremes)
        return max(1, round(epochs * self.ensemble.epochs_factor * self.sweep.fraction_of_epochs))
