"""What training and searching share: folds of the training beats, and networks as params.yaml describes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import Cnn, EnsembleParams, Fit, Params, Train
from stages.ecg import aami
from stages.ecg.balancing import augment_beats
from stages.ecg.beatset import About, read_beats
from stages.files.writing import read_json
from stages.nets.adapting import Adaptation, Adapter
from stages.nets.backend import keras
from stages.nets.building import CnnArchitecture, Inputs, RnnArchitecture, build_cnn, build_rnn
from stages.nets.fitting import Augment, Beats, DrawnBeats, Draws, FoldFit, Settings
from stages.scores import per_beat

Scaler = dict[str, list[float]]

FIT_KEYS = {"learning_rate", "weight_decay", "batch_size", "epochs"}
"""Keys of ``train.<model>`` that say how a network is fitted; the others say how it is built."""


@dataclass(frozen=True)
class Design:
    """How networks are built and fitted: the sections of params.yaml that say so.

    Attributes
    ----------
    train : Train
    network : Fit
        Of the kind of network.
    ensemble : EnsembleParams
        Of the protocol.
    """

    train: Train
    network: Fit
    ensemble: EnsembleParams


def design_of(params: Params, protocol: str, model: str) -> Design:
    """Give the design of params.yaml for one kind of network under one protocol."""
    return Design(params.train, params.train.network(model), params.train.ensemble(protocol))


@dataclass(frozen=True)
class Fold:
    """A fold of the training beats, and what a network is trained on that leaves it out.

    Attributes
    ----------
    name : str
        ``folds.NO_FOLD`` if no beat is left out.
    rows : ndarray of bool, shape (training beats,)
        The beats of the fold.
    held_out : Beats
        These beats.
    draws : Draws
        Of the other folds.
    scaler : dict
        ``center`` and ``scale`` of the rhythm features of the other folds.
    """

    name: str
    rows: NDArray[np.bool_]
    held_out: Beats
    draws: Draws
    scaler: Scaler


@dataclass(frozen=True)
class Training:
    """The training beats of a protocol, in memory.

    Attributes
    ----------
    about : About
    table : DataFrame, one row a beat
    beats : Beats
    method : str
        How the balance stage drew.
    augment : callable
        Alters the signals of draws that ask for it.
    folds : list of Fold
    all_beats : Fold
        Holds out none.
    """

    about: About
    table: pd.DataFrame
    beats: Beats
    method: str
    augment: Augment
    folds: list[Fold]
    all_beats: Fold

    def prevalence_of_s(self, folds: Sequence[Fold]) -> float:
        """Mean share of S among the N and S beats that networks are trained on which leave out these folds."""
        shares = []
        for fold in folds:
            labels = self.beats.labels[fold.draws.beat]
            n, s = (int(np.sum(labels == aami.CLASSES.index(name))) for name in "NS")
            shares.append(s / (n + s))
        return float(np.mean(shares))

    def subsampled(self, fraction: float, seed: int) -> "Training":
        """Draw from a fraction of the beats of each record and class; what is held out stays as it is.

        Parameters
        ----------
        fraction : float
            Above 0 to 1; of each record and class at least one beat is kept.
        seed : int

        Returns
        -------
        Training
        """
        if fraction == 1:
            return self
        order = pd.Series(np.random.default_rng(seed).random(len(self.table)), index=self.table.index)
        groups = order.groupby([self.table["record"], self.table["aami"]], observed=True)
        kept = (groups.rank(method="first") <= np.ceil(groups.transform("size") * fraction)).to_numpy()
        return replace(self, folds=[replace(fold, draws=_drawn(fold.draws, kept)) for fold in self.folds])


def _drawn(draws: Draws, kept: NDArray[np.bool_]) -> Draws:
    chosen = kept[draws.beat]
    return Draws(
        draws.beat[chosen], draws.partner[chosen], draws.mix[chosen], draws.altered[chosen], draws.class_weights
    )


def read_training(protocol: str) -> Training:
    """Read what the balance stage wrote for training.

    Raises
    ------
    FileNotFoundError
        If it has not run.
    """
    folder = paths.BALANCED / protocol / "train"
    stored = read_beats(folder)
    description = read_json(folder / "draws.json")
    draws = pd.read_parquet(folder / "draws.parquet")
    # In memory: batches gather the signals in random order, which a mapped file is slow at.
    beats = Beats(np.array(stored.signals), stored.rhythm, stored.labels)
    *folds, all_beats = _folds(beats, stored.table["fold"], draws, description["held_out"])
    augment = augmentation(description["augment"], stored.about.fmt.rate_hz)
    return Training(stored.about, stored.table, beats, description["method"], augment, folds, all_beats)


def _folds(beats: Beats, fold_of_beat: pd.Series, draws: pd.DataFrame, held_out: dict) -> Iterator[Fold]:
    for name, description in held_out.items():
        rows = (fold_of_beat == name).to_numpy()
        of_fold = draws[draws["held_out"] == name]
        columns = {column: of_fold[column].to_numpy() for column in ("beat", "partner", "mix", "altered")}
        weights = [description["class_weights"][aami_class] for aami_class in aami.CLASSES]
        left_out = Beats(beats.signals[rows], beats.rhythm[rows], beats.labels[rows])
        yield Fold(name, rows, left_out, Draws(**columns, class_weights=weights), description["rhythm"])


def augmentation(strength: dict[str, float], rate_hz: float) -> Augment:
    """Bind the strengths of the augmentation, with the shift in samples of these beats."""
    return partial(
        augment_beats,
        shift=strength["shift_s"] * rate_hz,
        scale=strength["scale"],
        noise=strength["noise"],
        wander=strength["wander"],
    )


def build(training: Training, scaler: Scaler, design: Design) -> keras.Model:
    """Build the network of a design, with the scaler of the rhythm features inside."""
    inputs = Inputs(training.about.fmt.shape, scaler["center"], scaler["scale"])
    architecture = design.network.model_dump(exclude=FIT_KEYS) | {
        "dropout_rate": design.network.dropout_rate * design.ensemble.dropout_factor,
        "morphology_separates_s": design.ensemble.morphology_separates_s,
    }
    if isinstance(design.network, Cnn):
        return build_cnn(inputs, CnnArchitecture(**architecture))
    return build_rnn(inputs, RnnArchitecture(**architecture))


def settings_of(design: Design, number: int, fraction_of_epochs: float = 1.0) -> Settings:
    """Collect how the fit of a number goes; each has a seed of its own."""
    train, network, ensemble = design.train, design.network, design.ensemble
    fitted = network.model_dump(include=FIT_KEYS)
    fitted["epochs"] = max(1, round(network.epochs * ensemble.epochs_factor * fraction_of_epochs))
    fitted["batch_size"] = max(1, round(network.batch_size * ensemble.batch_size_factor))
    return Settings(
        seed=train.seed + number,
        focal_gamma=train.focal_gamma,
        patience=None if ensemble.refit else train.patience,
        template_swap=ensemble.template_swap,
        **fitted,
    )


def fold_fit(training: Training, fold: Fold, settings: Settings, name: str) -> FoldFit:
    """Give what a network is fitted to that leaves out a fold; ``name`` tells the fit apart in the log."""
    return FoldFit(name, DrawnBeats(training.beats, fold.draws, training.augment), fold.held_out, settings)


class OutOfFoldScorer:
    """Scores out-of-fold probabilities of training beats, adapted as for new recordings.

    Parameters
    ----------
    training : Training
    ensemble : EnsembleParams
        How probabilities are adapted.
    folds : sequence of Fold
        Those that a network left out each.

    Attributes
    ----------
    rows : ndarray of bool, shape (training beats,)
        The beats of these folds.
    labels : ndarray of int
        Of these beats.
    adaptation : Adaptation
    """

    def __init__(self, training: Training, ensemble: EnsembleParams, folds: Sequence[Fold]) -> None:
        self.rows = np.logical_or.reduce([fold.rows for fold in folds])
        self.labels = training.beats.labels[self.rows]
        self.adaptation = Adaptation(
            n_neighbors=ensemble.n_neighbors,
            prior_strength=ensemble.prior_strength,
            prevalence_of_s=training.prevalence_of_s(folds),
            past_only=training.about.fmt.past_only,
        )
        beats, records = training.beats, training.table["record"][self.rows]
        self._adapt = Adapter(self.adaptation, beats.signals[self.rows], beats.rhythm[self.rows], records)

    def adapted(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Adapt the probabilities of all training beats; those of ``rows`` are returned."""
        return self._adapt(probabilities[self.rows])

    def scores(self, probabilities: NDArray[np.float32]) -> dict[str, float]:
        """Score the probabilities of all training beats, shape (training beats, classes).

        Returns
        -------
        dict
            ``beats``, ``accuracy``, ``macro_f1_nsvf`` and ``f1_<class>`` for N, S, V and F.
        """
        scores = per_beat.beat_scores(self.labels, self.adapted(probabilities).argmax(axis=1))
        return {
            "beats": len(self.labels),
            **{name: scores[name] for name in ("accuracy", "macro_f1_nsvf")},
            **{f"f1_{name}": scores[f"f1_{name}"] for name in "NSVF"},
        }
