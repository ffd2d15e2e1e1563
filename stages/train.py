"""Fit one kind of network under one protocol: an ensemble, and its cross-validation over the folds of the beats.

``data/balanced/<protocol>/train/`` in; ``models/<protocol>/<model>.keras``, and ``<model>.json`` and the folder of that
name in ``metrics/training/<protocol>/`` out. The test fold is nowhere near.
"""

import logging
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.runner import run_stage
from stages.ecg import aami, folds
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About
from stages.files.writing import remove, write_json
from stages.nets.adapting import Adaptation, fit_temperature, scale_confidence
from stages.nets.backend import keras, tf
from stages.nets.building import average
from stages.nets.fitting import machine
from stages.nets.saving import save_classifier
from stages.scores.curves import expected_calibration_error
from stages.training.ensemble import CrossValidated, Plan, fit_plan
from stages.training.folds import OutOfFoldScorer, design_of, read_training

log = logging.getLogger(__name__)


def train(params: Params, protocol: str, model: str) -> None:
    """Fit the networks of an ensemble, save it and report how networks do on a fold that they left out."""
    training = read_training(protocol)
    title = f"{model} {folds.label(protocol, training.about.synthetic)}"
    design = design_of(params, protocol, model)
    plan = Plan(title, protocol, design, training, params.tracking, paths.MODELS / protocol / f".{model}")
    validated, ensemble = fit_plan(plan)

    scorer = OutOfFoldScorer(training, design.ensemble, validated.folds)
    calibration = calibrate(scorer, validated)
    adaptation = replace(scorer.adaptation, temperature=calibration["temperature"])
    if design.ensemble.refit:
        adaptation = replace(adaptation, prevalence_of_s=training.prevalence_of_s([training.all_beats]))
    about = about_model(protocol, model, training.about, adaptation)
    save_classifier(paths.MODELS / protocol / f"{model}.keras", average(ensemble.members, model), about)
    remove(plan.checkpoints)

    scores = scorer.scores(validated.probabilities)
    write_reports(paths.METRICS / "training" / protocol / model, title, validated.history, {**scores, **calibration})
    log.info("%s, cross-validated: %s", title, headline_of(scores))


def calibrate(scorer: OutOfFoldScorer, validated: CrossValidated) -> dict[str, float]:
    """Fit the temperature to the beats that were left out, and give the calibration error without it and with it."""
    adapted = scorer.adapted(validated.probabilities)
    temperature = fit_temperature(adapted, scorer.labels)
    scaled = scale_confidence(adapted, temperature)
    return {
        "temperature": temperature,
        "expected_calibration_error_before": expected_calibration_error(scorer.labels, adapted),
        "expected_calibration_error": expected_calibration_error(scorer.labels, scaled),
    }


def about_model(protocol: str, model: str, trained_on: About, adaptation: Adaptation) -> dict[str, object]:
    """Describe what inference needs beside the network."""
    return {
        "model": model,
        "protocol": protocol,
        "protocol_label": folds.label(protocol, trained_on.synthetic),
        "trained_on": asdict(trained_on),
        "classes": list(aami.CLASSES),
        "rhythm_features": list(FEATURES),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        "adaptation": asdict(adaptation),
    }


def headline_of(scores: dict[str, float]) -> str:
    """Put the scores that designs are chosen by in one line; those of a class without beats are left out."""
    shown = {"macro_f1_nsvf": "macro F1 (N S V F)", "accuracy": "accuracy", "f1_S": "F1 of S", "f1_V": "F1 of V"}
    return "  ".join(f"{title} {scores[name]:.4f}" for name, title in shown.items() if scores[name] is not None)


def write_reports(folder: Path, title: str, history: pd.DataFrame, scores: dict[str, float]) -> None:
    """Write how the fits went, and how networks did on the beats that they left out.

    Parameters
    ----------
    folder : Path
        The headline is written beside it, as ``<folder>.json``.
    title : str
        Of the network and the protocol.
    history : DataFrame
        Of :class:`stages.training.ensemble.CrossValidated`.
    scores : dict
        Of all beats that were left out, and their calibration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    history = history.assign(epoch=history["epoch"] + 1)
    history.round(6).to_csv(folder / "history.csv", index=False)
    best = history[history["best"]]
    columns = {"fold": best["fold"], "best_epoch": best["epoch"], "macro_f1_nsvf": best["val_macro_f1"]}
    pd.DataFrame(columns).round(6).to_csv(folder / "folds.csv", index=False)
    title = f"{title}: the beats of the folds left out, each scored by the network that left it out"
    write_json(folder / "cross_validation.json", {"title": title, **scores})
    write_json(folder / "machine.json", machine())
    headline = {"cross_validated_macro_f1_nsvf": round(scores["macro_f1_nsvf"], 6)}
    write_json(folder.with_name(f"{folder.name}.json"), headline)


if __name__ == "__main__":
    run_stage(train, errors=(FloatingPointError,), protocol=PROTOCOLS, model=MODELS)
