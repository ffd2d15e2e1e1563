"""Fit one network under one protocol.

``data/balanced/<protocol>/{train,val}/`` in; ``models/<protocol>/<model>.keras`` and
``metrics/<protocol>/<model>/{history.csv,training.json}`` out. The test fold is nowhere near.
"""

import argparse
import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from stages import paths
from stages.ecg import aami, folds
from stages.ecg.balancing import augment_beats
from stages.ecg.beatset import BeatSet, read_beats
from stages.ecg.rhythm import RR_FEATURES
from stages.nets.building import Inputs, build_cnn, build_rnn
from stages.nets.fitting import Augment, Beats, Draws, Settings, fit, make_deterministic
from stages.nets.saving import save_classifier
from stages.params import MODELS, PROTOCOLS, Cnn, Fit, Params, ParamsError, Rnn, load_params
from stages.scores import figures
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


def train(protocol: str, name: str, params: Params) -> None:
    """Fit, save and report."""
    folder = paths.BALANCED / protocol
    learned, validation = read_beats(folder / "train"), read_beats(folder / "val")
    chosen = getattr(params.train, name)
    drawn_as = json.loads((folder / "train" / "draws.json").read_text(encoding="utf-8"))
    title = f"{name} {folds.label(protocol, learned.about.synthetic)}"

    make_deterministic(params.train.seed)
    inputs = Inputs(learned.about.fmt.shape, drawn_as["rhythm"]["center"], drawn_as["rhythm"]["scale"])
    model = build(inputs, chosen)
    draws = read_draws(folder / "train" / "draws.parquet", drawn_as["class_weights"])
    log.info("%s: %d weights, %d draws an epoch", title, model.count_params(), len(draws.beat))
    config = {
        **params.train.model_dump(include={"seed", "focal_gamma", "weight_decay", "patience"}),
        **chosen.model_dump(),
    }
    with tracked_run(params.tracking, title, protocol, {**config, "balance": drawn_as["method"]}) as log_values:
        history = fit(
            model,
            in_memory(learned),
            draws,
            in_memory(validation),
            settings_of(params, chosen),
            augment_of(learned, drawn_as["augment"]),
            paths.MODELS / protocol / f".{name}",
            [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: log_values(logs))],
        )
    save_classifier(paths.MODELS / protocol / f"{name}.keras", model, about_model(protocol, name, learned))
    write_reports(paths.METRICS / protocol / name, title, history)


def build(inputs: Inputs, chosen: Fit) -> keras.Model:
    """Build the network that a section of params.yaml describes."""
    builders: dict[type[Fit], Callable[..., keras.Model]] = {Cnn: build_cnn, Rnn: build_rnn}
    return builders[type(chosen)](inputs, **chosen.model_dump(exclude=FIT_KEYS))


def settings_of(params: Params, chosen: Fit) -> Settings:
    """Collect how to fit."""
    common = params.train.model_dump(include={"seed", "focal_gamma", "weight_decay", "patience"})
    return Settings(**common, **chosen.model_dump(include=FIT_KEYS))


def in_memory(beats: BeatSet) -> Beats:
    """Load the signals: batches gather them in random order, which a mapped file is slow at."""
    return Beats(np.array(beats.signals), beats.rhythm, beats.labels)


def read_draws(path: Path, class_weights: dict[str, float]) -> Draws:
    """Read what the balance stage drew."""
    table = pd.read_parquet(path)
    columns = {name: table[name].to_numpy() for name in ("beat", "partner", "mix", "altered")}
    return Draws(**columns, class_weights=[class_weights[name] for name in aami.CLASSES])


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
        "rhythm_features": list(RR_FEATURES),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def write_reports(folder: Path, title: str, history: pd.DataFrame) -> None:
    """Write the learning curve, and which epoch was kept on which kind of machine."""
    folder.mkdir(parents=True, exist_ok=True)
    history = history.assign(epoch=history["epoch"] + 1)
    history.round(6).to_csv(folder / "history.csv", index=False)
    figures.save_png(figures.learning_curves_figure(history, title), folder / "history.png")
    best = history[history["best"]].iloc[0]
    report = {
        "title": title,
        "epochs": len(history),
        "best_epoch": int(best["epoch"]),
        "val_macro_f1_nsvf": round(float(best["val_macro_f1"]), 6),
        "val_accuracy": round(float(best["val_accuracy"]), 6),
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
