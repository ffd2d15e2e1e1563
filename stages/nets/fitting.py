"""Fitting a network: drawn batches, a score that respects the rare classes, a fit that survives a kill."""

import hashlib
import json
import logging
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from stages.ecg import aami
from stages.files.writing import remove, replacing
from stages.nets.augmentation import swap_templates
from stages.nets.backend import keras, tf

SCORED = [aami.CLASSES.index(name) for name in "NSVF"]
"""Classes of the validation score; Q has too few beats outside paced records to steer by."""

WARM_UP = 0.1
"""Part of the steps in which the learning rate rises to its peak, so that wide networks are not lost at the start."""

PREDICT_BATCH = 4096
"""Beats that are classified at a time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beats:
    """Beats to train on or to validate on.

    Attributes
    ----------
    signals : ndarray of float32, shape (beats, samples, channels)
    rhythm : ndarray of float32, shape (beats, features)
    labels : ndarray of int, shape (beats,)
        Positions in ``aami.CLASSES``.
    """

    signals: NDArray[np.float32]
    rhythm: NDArray[np.float32]
    labels: NDArray[np.integer]


@dataclass(frozen=True)
class Draws:
    """Which beats an epoch draws, and how: the draw is ``beat + mix * (partner - beat)``.

    Attributes
    ----------
    beat, partner : ndarray of int, shape (draws,)
        Rows of the training beats.
    mix : ndarray of float32, shape (draws,)
    altered : ndarray of bool, shape (draws,)
        Draws that are augmented on the fly.
    class_weights : sequence of float
        In the order of ``aami.CLASSES``.
    """

    beat: NDArray[np.int32]
    partner: NDArray[np.int32]
    mix: NDArray[np.float32]
    altered: NDArray[np.bool_]
    class_weights: Sequence[float]


@dataclass(frozen=True)
class Settings:
    """How a network is fitted; see params.yaml, section train. Without patience the last epoch is kept."""

    seed: int
    focal_gamma: float
    weight_decay: float
    patience: int | None
    learning_rate: float
    batch_size: int
    epochs: int
    template_swap: float


Augment = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float32]]


@dataclass(frozen=True)
class DrawnBeats:
    """Beats, and how they are drawn to train on.

    Attributes
    ----------
    beats : Beats
        What ``draws`` refers to.
    draws : Draws
    augment : callable
        Alters the signals of ``draws.altered``.
    """

    beats: Beats
    draws: Draws
    augment: Augment

    def __len__(self) -> int:
        """Count the draws of an epoch."""
        return len(self.draws.beat)


@dataclass(frozen=True)
class FoldFit:
    """What the fit of one fold is made of.

    Attributes
    ----------
    name : str
        Tells fits side by side apart in the log.
    drawn : DrawnBeats
        To train on.
    held_out : Beats
        Beats of the fold, to be scored; there are none where all beats are trained on.
    settings : Settings
    """

    name: str
    drawn: DrawnBeats
    held_out: Beats
    settings: Settings


class DrawnBatches(keras.utils.PyDataset):
    """Batches of drawn beats in a new order each epoch, made from the seed and the number of the epoch alone."""

    def __init__(self, drawn: DrawnBeats, settings: Settings, epoch: int = 0) -> None:
        super().__init__()
        self.beats, self.draws, self.augment, self.settings = drawn.beats, drawn.draws, drawn.augment, settings
        self.one_hot = np.eye(len(aami.CLASSES), dtype=np.float32)
        self.weights = np.asarray(drawn.draws.class_weights, dtype=np.float32)
        self.epoch = epoch
        self._shuffle()

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return math.ceil(len(self.draws.beat) / self.settings.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, NDArray[np.float32]], NDArray, NDArray]:
        """Give the inputs, the one-hot classes and the weights of the beats of a batch."""
        drawn = self.order[index * self.settings.batch_size : (index + 1) * self.settings.batch_size]
        beat, mix = self.draws.beat[drawn], self.draws.mix[drawn]
        signals, rhythm = self.beats.signals[beat], self.beats.rhythm[beat]
        if mix.any():
            partner = self.draws.partner[drawn]
            signals = signals + mix[:, None, None] * (self.beats.signals[partner] - signals)
            rhythm = rhythm + mix[:, None] * (self.beats.rhythm[partner] - rhythm)
        labels, altered = self.beats.labels[beat], self.draws.altered[drawn]
        rng = np.random.default_rng([self.settings.seed, self.epoch, index])
        if altered.any():
            signals[altered] = self.augment(signals[altered], rng)
        if self.settings.template_swap:
            signals = swap_templates(signals, labels, self.settings.template_swap, rng)
        return {"beat": signals, "rhythm": rhythm}, self.one_hot[labels], self.weights[labels]

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self.epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self.order = np.random.default_rng([self.settings.seed, self.epoch]).permutation(len(self.draws.beat))


class Validation(keras.callbacks.Callback):
    """Scores the validation beats after each epoch and adds ``val_*`` to the logs for the callbacks behind it."""

    def __init__(self, beats: Beats) -> None:
        super().__init__()
        self.beats = beats

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add the scores to the logs."""
        logs = {} if logs is None else logs
        probabilities = predict(self.model, self.beats.signals, self.beats.rhythm)
        predicted = probabilities.argmax(axis=1)
        truth = self.beats.labels
        one_hot = np.eye(len(aami.CLASSES), dtype=np.float32)[truth]
        logs["val_loss"] = float(keras.ops.mean(self.model.loss(one_hot, probabilities)))
        logs["val_accuracy"] = float(np.mean(predicted == truth))
        per_class = f1_score(truth, predicted, labels=SCORED, average=None, zero_division=0)
        logs["val_macro_f1"] = float(per_class.mean())
        logs.update({f"val_f1_{aami.CLASSES[label]}": float(f1) for label, f1 in zip(SCORED, per_class, strict=True)})


class Checkpoint(keras.callbacks.Callback):
    """Keeps the best weights, stops when nothing gets better, and saves what a killed fit needs to go on.

    After each epoch the state of model and optimizer and the history are in ``folder``; a later fit of the same beats
    with the same settings takes them up and ends with the same weights as one that was never killed.

    Parameters
    ----------
    folder : Path
    fingerprint : str
        Of all that decides the weights.
    patience : int or None
        Epochs without a better score before the fit ends. Without patience the best weights are those of the last
        epoch.
    """

    def __init__(self, folder: Path, fingerprint: str, patience: int | None) -> None:
        super().__init__()
        self.folder, self.fingerprint, self.patience = folder, fingerprint, patience
        self.history: list[dict[str, float]] = []
        self.best: list[NDArray] = []

    @property
    def best_epoch(self) -> int:
        """Epoch of the highest validation score, the first of equals; -1 before the first."""
        if self.patience is None:
            return len(self.history) - 1
        return max(range(len(self.history)), key=lambda e: self.history[e]["val_macro_f1"], default=-1)

    @property
    def finished(self) -> bool:
        """Whether the patience is used up."""
        return self.patience is not None and len(self.history) - 1 - self.best_epoch >= self.patience

    def restore(self, model: keras.Model) -> int:
        """Take up an interrupted fit.

        Returns
        -------
        int
            The epoch to begin with.
        """
        path = self.folder / "fit.npz"
        if not path.is_file():
            return 0
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["fingerprint"]) != self.fingerprint:
                log.info("the earlier fit in %s was of other data or settings; beginning anew", self.folder)
                return 0
            self.history = json.loads(str(saved["history"]))
            self.best = [saved[f"best_{i}"] for i in range(len(model.weights))]
            for i, variable in enumerate(state_of(model)):
                variable.assign(saved[f"state_{i}"])
        log.info("going on after epoch %d of an earlier fit", len(self.history))
        return len(self.history)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the weights if they are the best, and save all."""
        self.history.append({"epoch": epoch, **{name: float(value) for name, value in (logs or {}).items()}})
        if self.best_epoch == epoch:
            self.best = self.model.get_weights()
        if self.finished:
            self.model.stop_training = True
        self._save()

    def _save(self) -> None:
        arrays: dict[str, Any] = {"fingerprint": self.fingerprint, "history": json.dumps(self.history)}
        arrays |= {f"best_{i}": weights for i, weights in enumerate(self.best)}
        arrays |= {f"state_{i}": variable.numpy() for i, variable in enumerate(state_of(self.model))}
        with replacing(self.folder / "fit.npz") as unfinished:
            np.savez(unfinished, **arrays)


class Progress(keras.callbacks.Callback):
    """Logs one line an epoch, with the speed; fits beside one another are told apart by name."""

    def __init__(self, name: str, draws: int, epochs: int) -> None:
        super().__init__()
        self.name, self.draws, self.epochs = name, draws, epochs

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start the clock of the fit."""
        self.begun = self.epoch_begun = time.perf_counter()
        self.drawn = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock of the epoch."""
        self.epoch_begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log scores and speed."""
        logs = logs or {}
        self.drawn += self.draws
        speed = self.draws / (time.perf_counter() - self.epoch_begun)
        shown = [name for name in ("loss", "val_loss", "val_accuracy", "val_macro_f1") if name in logs]
        scores = "  ".join(f"{name} {logs[name]:.4f}" for name in shown)
        log.info("%s: epoch %d/%d  %s  %.0f beats/s", self.name, epoch + 1, self.epochs, scores, speed)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Log the speed of the fit."""
        if self.drawn:
            speed = self.drawn / (time.perf_counter() - self.begun)
            log.info("%s: %.0f beats/s, graph building and validation included", self.name, speed)


def fit(
    model: keras.Model, fold_fit: FoldFit, folder: Path, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> pd.DataFrame:
    """Fit a network and leave it with the weights of its best epoch, or of the last where no epoch is chosen.

    Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), a learning rate that rises from zero to its
    peak and falls along a cosine back to zero, and the focal loss of Lin et al., "Focal loss for dense object
    detection", ICCV 2017.

    Parameters
    ----------
    model : keras.Model
        From :mod:`stages.nets.building`, built after :func:`make_deterministic`.
    fold_fit : FoldFit
        Only the score after each epoch sees the held-out beats: with ``settings.patience`` it decides when to stop and
        which epoch is the best.
    folder : Path
        For the checkpoint. It stays: a later call with the same beats and settings takes the finished fit from there.
    callbacks : sequence of keras.callbacks.Callback
        Called last, with the validation scores in the logs.

    Returns
    -------
    DataFrame, one row an epoch
        ``epoch`` from 0, ``loss``, ``best`` (the epoch whose weights are kept); where beats are held out,
        ``val_loss``, ``val_accuracy``, ``val_macro_f1`` and ``val_f1_<class>``.

    Raises
    ------
    FloatingPointError
        If the loss is no longer a number.
    """
    drawn, held_out, settings = fold_fit.drawn, fold_fit.held_out, fold_fit.settings
    prepare(model, settings, len(drawn))
    checkpoint = Checkpoint(folder, _fingerprint(model, fold_fit), settings.patience)
    first = checkpoint.restore(model)
    batches = DrawnBatches(drawn, settings, first)
    scorers = [Validation(held_out)] if len(held_out.labels) else []
    watchers = [*scorers, keras.callbacks.TerminateOnNaN(), checkpoint]
    if first < settings.epochs and not checkpoint.finished:
        model.fit(
            batches,
            initial_epoch=first,
            epochs=settings.epochs,
            callbacks=[*watchers, Progress(fold_fit.name, len(drawn), settings.epochs), *callbacks],
            shuffle=False,
            verbose=0,
        )
    history = pd.DataFrame(checkpoint.history)
    if history.empty or not np.isfinite(history["loss"]).all():
        remove(folder)
        raise FloatingPointError("the loss is no longer a number; lower train.<model>.learning_rate")
    model.set_weights(checkpoint.best)
    return history.assign(best=history["epoch"] == checkpoint.best_epoch)


def prepare(model: keras.Model, settings: Settings, draws: int) -> None:
    """Give a network its optimizer and its loss, see :func:`fit`; ``draws`` is the number of them in an epoch."""
    steps = math.ceil(draws / settings.batch_size) * settings.epochs
    rising = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=settings.learning_rate, warmup_steps=rising
    )
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay),
        keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=settings.focal_gamma),
    )
    model.optimizer.build(model.trainable_variables)


def predict(model: keras.Model, signals: NDArray[np.float32], rhythm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the probabilities of the classes, shape (beats, classes)."""
    return model.predict({"beat": signals, "rhythm": rhythm}, batch_size=PREDICT_BATCH, verbose=0)


def make_deterministic(seed: int) -> None:
    """Begin afresh: reset names, seed every generator, choose deterministic kernels. Same machine, same weights."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def processes() -> int:
    """Count the networks to fit at once: one a core, one in all where a GPU does the work."""
    return 1 if tf.config.list_physical_devices("GPU") else os.cpu_count() or 1


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


def state_of(model: keras.Model) -> list[keras.Variable]:
    """List all that a fit changes: `variables`, unlike `weights`, include the seed states of the dropout layers."""
    return [*model.variables, *model.optimizer.variables]


def _fingerprint(model: keras.Model, fold_fit: FoldFit) -> str:
    drawn, draws = fold_fit.drawn, fold_fit.drawn.draws
    digest = hashlib.sha256(model.to_json().encode())
    digest.update(json.dumps([asdict(fold_fit.settings), list(draws.class_weights)]).encode())
    arrays: list[NDArray] = [draws.beat, draws.partner, draws.mix, draws.altered]
    for beats in (drawn.beats, fold_fit.held_out):
        arrays += [beats.signals, beats.rhythm, beats.labels]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
