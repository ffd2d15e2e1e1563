"""The score that a search of hyperparameters is for: cross-validation on the training patients."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from stages.config.params import NETWORKS, Params
from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.nets.fitting import Settings, make_deterministic
from stages.nets.parallel_folds import Runner, fit_in_lockstep
from stages.search.space import SweepConfiguration
from stages.search.trials import Report
from stages.training.folds import Member, OutOfFold, build, read_training, settings_of

PROTOCOL = "inter_patient"
UNSCALED = {"center": [0.0] * len(FEATURES), "scale": [1.0] * len(FEATURES)}


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
        self.ensemble = getattr(params.train, PROTOCOL)
        self.training = read_training(PROTOCOL).thinned(params.sweep.fraction_of_beats, params.sweep.seed)
        self.judged = OutOfFold(self.training, self.ensemble, len(self.training.members))

    def __call__(self, config: dict[str, Any], report: Report) -> None:
        """Fit one network a fold with these hyperparameters and report the scores of all after each epoch."""
        chosen = NETWORKS[self.model].model_validate(config, strict=False)
        begun = time.perf_counter()
        make_deterministic(self.train.seed)
        network = build(self.training, UNSCALED, chosen, self.ensemble)
        runners = [
            self.runner(member, settings_of(self.train, chosen, self.ensemble, number, self.sweep.fraction_of_epochs))
            for number, member in enumerate(self.training.members)
        ]
        probabilities = np.empty((len(self.training.table), len(aami.CLASSES)), dtype=np.float32)
        beats_in_epoch = sum(len(runner.draws.beat) for runner in runners)
        epochs = enumerate(fit_in_lockstep(network, runners, self.training.augment), start=1)
        for epoch, (loss, held_out) in epochs:
            for member, given in zip(self.training.members, held_out, strict=True):
                probabilities[member.rows] = given
            scores = self.judged.scores(probabilities)
            report(
                {
                    "loss": loss,
                    "val_macro_f1": scores["macro_f1_nsvf"],
                    "val_accuracy": scores["accuracy"],
                    **{f"val_f1_{name}": scores[f"f1_{name}"] for name in "NSVF"},
                    "epochs_run": epoch,
                    "of_epochs": runners[0].settings.epochs,
                    "beats_drawn": epoch * beats_in_epoch,
                    "seconds": time.perf_counter() - begun,
                }
            )

    def runner(self, member: Member, settings: Settings) -> Runner:
        """Scale the rhythm features for a member: all share a network, which a scaler inside would tie to one fold."""
        center, scale = (np.asarray(member.scaler[name], dtype=np.float32) for name in ("center", "scale"))
        beats, held_out = (
            replace(some, rhythm=(some.rhythm - center) / scale) for some in (self.training.beats, member.held_out)
        )
        return Runner(beats, member.draws, held_out, settings)

    def most_epochs(self, configuration: SweepConfiguration) -> int:
        """Epochs of the longest trial that the configuration allows."""
        epochs = max(float(value) for value in configuration.parameters["epochs"].extremes)
        return max(1, round(epochs * self.ensemble.longer * self.sweep.fraction_of_epochs))
