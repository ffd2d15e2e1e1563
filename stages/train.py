"""Fit one kind of network under one protocol: an ensemble, and its cross-validation over the folds of the beats.

``data/balanced/<protocol>/train/`` in; ``models/<protocol>/<model>.keras`` and
``metrics/<protocol>/<model>/{history.csv,training.json}`` out. The test fold is nowhere near.
"""

import argparse
import json
import logging
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from joblib import Parallel, delayed
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Params, ParamsError, load_params
from stages.ecg import aami, folds
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About
from stages.figures.learning import learning_curves_figure
from stages.figures.style import save_png
from stages.nets.adapting import fit_temperature, scale_confidence
from stages.nets.building import average
from stages.nets.fitting import fit, machine, make_deterministic, predict, processes
from stages.nets.saving import save_classifier
from stages.scores.curves import expected_calibration_error
from stages.training.folds import Member, OutOfFold, Training, build, read_training, settings_of
from stages.training.tracking import tracked_run

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("model", choices=MODELS)
    arguments = parser.parse_args()
    try:
        train(arguments.protocol, arguments.model, load_params())
    except (ParamsError, FileNotFoundError, FloatingPointError) as error:
        sys.exit(f"train: {error}")


@dataclass(frozen=True)
class Ensemble:
    """Fitted networks, and how those did that left out a fold.

    Attributes
    ----------
    members : list of keras.Model
        The networks whose probabilities are averaged.
    folds : int
        The first so many folds were each left out by a network.
    history : DataFrame
        As :func:`stages.nets.fitting.fit` returns it, with the column ``fold``, of these networks.
    probabilities : ndarray of float32, shape (beats, classes)
        Of each training beat by the network that left it out; NaN where none did.
    """

    members: list[keras.Model]
    folds: int
    history: pd.DataFrame
    probabilities: NDArray[np.float32]


def train(protocol: str, name: str, params: Params) -> None:
    """Fit the networks of an ensemble, save it and report how networks do on a fold that they left out."""
    training = read_training(protocol)
    checkpoints = paths.MODELS / protocol / f".{name}"
    title = f"{name} {folds.label(protocol, training.about.synthetic)}"
    fitted = fit_ensemble(protocol, name, params, training, title, checkpoints)

    ensemble = getattr(params.train, protocol)
    judged = OutOfFold(training, ensemble, fitted.folds)
    adapted = judged.adapted(fitted.probabilities)
    temperature = fit_temperature(adapted, judged.labels)
    about = about_model(protocol, name, training.about)
    adaptation = replace(judged.adaptation, temperature=temperature)
    if ensemble.refit:
        adaptation = replace(adaptation, prevalence_of_s=training.prevalence_of_s([training.whole]))
    about["adaptation"] = asdict(adaptation)
    save_classifier(paths.MODELS / protocol / f"{name}.keras", average(fitted.members, name), about)
    shutil.rmtree(checkpoints, ignore_errors=True)
    calibration = {
        "temperature": temperature,
        "expected_calibration_error_before": expected_calibration_error(judged.labels, adapted),
        "expected_calibration_error": expected_calibration_error(judged.labels, scale_confidence(adapted, temperature)),
    }
    scores = judged.scores(fitted.probabilities)
    write_reports(paths.METRICS / protocol / name, title, fitted.history, scores, calibration)


def fit_ensemble(
    protocol: str, name: str, params: Params, training: Training, title: str, checkpoints: Path
) -> Ensemble:
    """Fit the networks side by side, a process a core.

    One leaves out each of the first folds. These are the members, or, if they are to be refitted, there is one for
    every fold, and the members learn from all beats.
    """
    ensemble, chosen = getattr(params.train, protocol), getattr(params.train, name)
    judges = training.members if ensemble.refit else training.members[: ensemble.members]
    learners = [*judges, *[training.whole] * ensemble.members] if ensemble.refit else judges
    begun = time.perf_counter()
    fits = Parallel(n_jobs=min(processes(), len(learners)))(
        delayed(fit_member)(protocol, name, params, training, learner, number, title, checkpoints)
        for number, learner in enumerate(learners)
    )
    networks, histories = [], []
    probabilities = np.full((len(training.table), len(aami.CLASSES)), np.nan, dtype=np.float32)
    for learner, (weights, history, judged) in zip(learners, fits, strict=True):
        network = build(training, learner.scaler, chosen, ensemble)
        network.set_weights(weights)
        networks.append(network)
        histories.append(history.assign(fold=learner.fold))
        probabilities[learner.rows] = judged
    drawn = sum(len(one.draws.beat) * len(history) for one, history in zip(learners, histories, strict=True))
    log.info("%s: %.0f beats/s in all, everything included", title, drawn / (time.perf_counter() - begun))
    count = len(judges)
    return Ensemble(networks[-ensemble.members :], count, pd.concat(histories[:count]), probabilities)


def fit_member(
    protocol: str,
    name: str,
    params: Params,
    training: Training,
    learner: Member,
    number: int,
    title: str,
    checkpoints: Path,
) -> tuple[list[NDArray], pd.DataFrame, NDArray[np.float32]]:
    """Fit one network, which may be in a process of its own.

    Returns
    -------
    weights : list of ndarray
    history : DataFrame
        From :func:`stages.nets.fitting.fit`.
    probabilities : ndarray of float32, shape (beats of its fold, classes)
        What it gives to the beats that it left out.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    ensemble, chosen = getattr(params.train, protocol), getattr(params.train, name)
    settings = settings_of(params.train, chosen, ensemble, number)
    make_deterministic(settings.seed)
    network = build(training, learner.scaler, chosen, ensemble)
    held_out = None if learner.fold == folds.NO_FOLD else learner.held_out
    part = f"refit {number}" if held_out is None else f"fold {learner.fold}"
    title = f"{title}, {part}"
    log.info("%s: %d weights, %d draws", title, network.count_params(), len(learner.draws.beat))
    config = {**chosen.model_dump(), **ensemble.model_dump(), **asdict(settings), "balance": training.method}
    with tracked_run(params.tracking, title, protocol, config) as log_values:
        watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: log_values(logs))
        history = fit(
            network,
            training.beats,
            learner.draws,
            held_out,
            settings,
            training.augment,
            checkpoints / part,
            [watcher],
        )
    judged = np.empty((0, len(aami.CLASSES)), dtype=np.float32)
    if held_out is not None:
        judged = predict(network, held_out.signals, held_out.rhythm)
    return network.get_weights(), history, judged


def about_model(protocol: str, name: str, learned: About) -> dict[str, object]:
    """Describe what inference needs beside the network."""
    return {
        "model": name,
        "protocol": protocol,
        "protocol_label": folds.label(protocol, learned.synthetic),
        "trained_on": asdict(learned),
        "classes": list(aami.CLASSES),
        "rhythm_features": list(FEATURES),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def write_reports(
    folder: Path, title: str, history: pd.DataFrame, scores: dict[str, float], calibration: dict[str, float]
) -> None:
    """Write the learning curves, and how networks did on the beats that they left out."""
    folder.mkdir(parents=True, exist_ok=True)
    history = history.assign(epoch=history["epoch"] + 1)
    history.round(6).to_csv(folder / "history.csv", index=False)
    save_png(learning_curves_figure(history, title), folder / "history.png")
    best = history[history["best"]].set_index("fold")
    report = {
        "title": f"{title}: the beats of the folds left out, each scored by the network that left it out",
        "cross_validation": scores,
        "calibration": calibration,
        "best_epoch": best["epoch"].astype(int).to_dict(),
        "fold_macro_f1_nsvf": best["val_macro_f1"].round(6).to_dict(),
        "machine": machine(),
    }
    (folder / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
