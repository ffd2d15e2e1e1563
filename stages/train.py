"""Fit one kind of network under one protocol: an ensemble whose members each leave out one fold of the beats.

``data/balanced/<protocol>/train/`` in; ``models/<protocol>/<model>.keras`` and
``metrics/<protocol>/<model>/{history.csv,training.json}`` out. The test fold is nowhere near.
"""

import argparse
import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from stages import paths
from stages.ecg import aami, folds
from stages.ecg.balancing import augment_beats
from stages.ecg.beats import FEATURES, BeatFormat
from stages.ecg.beatset import BeatSet, read_beats
from stages.nets.adapting import adapt_prevalence
from stages.nets.building import Inputs, average, build_cnn, build_rnn
from stages.nets.fitting import Augment, Beats, Draws, Settings, fit, make_deterministic, predict
from stages.nets.saving import save_classifier
from stages.params import MODELS, PROTOCOLS, Cnn, Fit, Params, ParamsError, Rnn, load_params
from stages.scores import figures, plain
from stages.tracking import tracked_run

FIT_KEYS = {"learning_rate", "batch_size", "epochs"}

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
    """Fitted networks, each with the fold it left out.

    Attributes
    ----------
    members : list of keras.Model
    history : DataFrame
        As :func:`stages.nets.fitting.fit` returns it, with the column ``fold``.
    probabilities : ndarray of float32, shape (beats, classes)
        Of each training beat by the network that left it out; NaN where none did.
    prevalence_of_s : float
        Mean share of S among the N and S beats that the members drew.
    """

    members: list[keras.Model]
    history: pd.DataFrame
    probabilities: NDArray[np.float32]
    prevalence_of_s: float


def train(protocol: str, name: str, params: Params) -> None:
    """Fit the networks of an ensemble, save it and report how each did on the fold that it left out."""
    learned = read_beats(paths.BALANCED / protocol / "train")
    checkpoints = paths.MODELS / protocol / f".{name}"
    title = f"{name} {folds.label(protocol, learned.about.synthetic)}"
    fitted = fit_ensemble(protocol, name, params, learned, title, checkpoints)

    prior_beats = getattr(params.train, protocol).prior_beats
    about = about_model(protocol, name, learned)
    about |= {"prevalence_of_s": fitted.prevalence_of_s, "prior_beats": prior_beats}
    save_classifier(paths.MODELS / protocol / f"{name}.keras", average(fitted.members, name), about)
    shutil.rmtree(checkpoints, ignore_errors=True)

    scored = np.isfinite(fitted.probabilities[:, 0])
    probabilities, records = fitted.probabilities[scored], learned.table["record"][scored]
    if prior_beats is not None:
        probabilities = adapt_prevalence(probabilities, records, fitted.prevalence_of_s, prior_beats)
    write_reports(paths.METRICS / protocol / name, title, fitted.history, learned.labels[scored], probabilities)


def fit_ensemble(protocol: str, name: str, params: Params, learned: BeatSet, title: str, checkpoints: Path) -> Ensemble:
    """Fit one network for each of the first folds, without its beats."""
    folder = paths.BALANCED / protocol / "train"
    drawn_as = json.loads((folder / "draws.json").read_text(encoding="utf-8"))
    draws = pd.read_parquet(folder / "draws.parquet")
    beats, augment = in_memory(learned), augment_of(learned, drawn_as["augment"])
    probabilities = np.full((len(beats.labels), len(aami.CLASSES)), np.nan, dtype=np.float32)
    members, histories, prevalences = [], [], []
    for number, fold in enumerate(list(drawn_as["held_out"])[: getattr(params.train, protocol).members]):
        without = drawn_as["held_out"][fold]
        settings = settings_of(params, protocol, name, number)
        make_deterministic(settings.seed)
        member = build(learned.about.fmt, without["rhythm"], params, protocol, name)
        mine = draws_of(draws[draws["held_out"] == fold], without["class_weights"])
        rows = (learned.table["fold"] == fold).to_numpy()
        held_out = Beats(beats.signals[rows], beats.rhythm[rows], beats.labels[rows])
        log.info("%s, fold %s held out: %d weights, %d draws", title, fold, member.count_params(), len(mine.beat))
        config = {**asdict(settings), **getattr(params.train, name).model_dump(), "balance": drawn_as["method"]}
        with tracked_run(params.tracking, f"{title}, fold {fold}", protocol, config) as log_values:
            watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, send=log_values: send(logs))
            history = fit(member, beats, mine, held_out, settings, augment, checkpoints / fold, [watcher])
        probabilities[rows] = predict(member, held_out.signals, held_out.rhythm)
        members.append(member)
        histories.append(history.assign(fold=fold))
        prevalences.append(prevalence_of_s(beats.labels[mine.beat]))
    return Ensemble(members, pd.concat(histories), probabilities, float(np.mean(prevalences)))


def build(fmt: BeatFormat, scaler: dict[str, list[float]], params: Params, protocol: str, name: str) -> keras.Model:
    """Build the network that params.yaml describes."""
    chosen = getattr(params.train, name)
    inputs = Inputs(fmt.shape, scaler["center"], scaler["scale"])
    builders: dict[type[Fit], Callable[..., keras.Model]] = {Cnn: build_cnn, Rnn: build_rnn}
    shape_tells_s = getattr(params.train, protocol).shape_tells_s
    return builders[type(chosen)](inputs, **chosen.model_dump(exclude=FIT_KEYS), shape_tells_s=shape_tells_s)


def settings_of(params: Params, protocol: str, name: str, number: int) -> Settings:
    """Collect how to fit a member of the ensemble; each has a seed of its own."""
    common = params.train.model_dump(include={"focal_gamma", "weight_decay", "patience"})
    chosen = getattr(params.train, name).model_dump(include=FIT_KEYS)
    chosen["epochs"] = max(1, round(chosen["epochs"] * getattr(params.train, protocol).longer))
    return Settings(seed=params.train.seed + number, **common, **chosen)


def in_memory(beats: BeatSet) -> Beats:
    """Load the signals: batches gather them in random order, which a mapped file is slow at."""
    return Beats(np.array(beats.signals), beats.rhythm, beats.labels)


def draws_of(table: pd.DataFrame, class_weights: dict[str, float]) -> Draws:
    """Take up what the balance stage drew."""
    columns = {name: table[name].to_numpy() for name in ("beat", "partner", "mix", "altered")}
    return Draws(**columns, class_weights=[class_weights[name] for name in aami.CLASSES])


def prevalence_of_s(labels: NDArray[np.integer]) -> float:
    """Give the share of S among the N and S beats drawn."""
    n, s = (int(np.sum(labels == aami.CLASSES.index(name))) for name in "NS")
    return s / (n + s)


def augment_of(beats: BeatSet, strength: dict[str, float]) -> Augment:
    """Bind the strengths of the augmentation, with the shift in samples of these beats."""
    return partial(
        augment_beats,
        shift=strength["shift_s"] * beats.about.fmt.rate_hz,
        scale=strength["scale"],
        noise=strength["noise"],
        wander=strength["wander"],
    )


def about_model(protocol: str, name: str, beats: BeatSet) -> dict[str, object]:
    """Describe what inference needs beside the network."""
    return {
        "model": name,
        "protocol": protocol,
        "protocol_label": folds.label(protocol, beats.about.synthetic),
        "trained_on": asdict(beats.about),
        "classes": list(aami.CLASSES),
        "rhythm_features": list(FEATURES),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def write_reports(
    folder: Path,
    title: str,
    history: pd.DataFrame,
    labels: NDArray[np.integer],
    probabilities: NDArray[np.float32],
) -> None:
    """Write the learning curves and how the members did on the beats that they left out."""
    folder.mkdir(parents=True, exist_ok=True)
    history = history.assign(epoch=history["epoch"] + 1)
    history.round(6).to_csv(folder / "history.csv", index=False)
    figures.save_png(figures.learning_curves_figure(history, title), folder / "history.png")
    scores = plain.plain_scores(labels, probabilities.argmax(axis=1))
    best = history[history["best"]].set_index("fold")
    report = {
        "title": f"{title}: training beats, each scored by the network that left out its fold",
        "cross_validation": {
            "beats": len(labels),
            **{name: scores[name] for name in ("accuracy", "macro_f1_nsvf")},
            **{f"f1_{name}": scores["per_class"][name]["f1"] for name in "NSVF"},
        },
        "best_epoch": best["epoch"].astype(int).to_dict(),
        "fold_macro_f1_nsvf": best["val_macro_f1"].round(6).to_dict(),
        "machine": machine(),
    }
    (folder / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, str | int]:
    """Name the kind of machine: fits are repeatable to the bit on the same kind, and only nearly so on another."""
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        fields = dict(
            line.split(":", 1) for line in information.read_text().split("\n\n")[0].splitlines() if ":" in line
        )
        named = {key.strip(): value.strip() for key, value in fields.items()}
        cpu = ", ".join(
            f"{key} {named[key]}" for key in ("model name", "cpu family", "model", "stepping") if key in named
        )
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu,
        "cores": os.cpu_count() or 1,
        "tensorflow": tf.__version__,
    }


if __name__ == "__main__":
    main()
