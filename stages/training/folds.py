"""What training and searching share: training beats, who is held out, and networks as params.yaml describes them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import Cnn, Ensemble, Fit, Rnn, Train
from stages.ecg import aami
from stages.ecg.balancing import augment_beats
from stages.ecg.beatset import About, read_beats
from stages.nets.adapting import Adaptation, Adapter
from stages.nets.building import Inputs, build_cnn, build_rnn
from stages.nets.fitting import Augment, Beats, Draws, Settings
from stages.scores import per_beat

Scaler = dict[str, list[float]]

FIT_KEYS = {"learning_rate", "weight_decay", "batch_size", "epochs"}


@dataclass(frozen=True)
class Member:
    """What one network of an ensemble learns from.

    Attributes
    ----------
    fold : str
        The fold that it leaves out; ``folds.NO_FOLD`` if it learns from all.
    rows : ndarray of bool, shape (training beats,)
        The beats of that fold.
    held_out : Beats
        These beats.
    draws : Draws
        Of the other folds.
    scaler : dict
        ``center`` and ``scale`` of the rhythm features of the other folds.
    """

    fold: str
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
    members : list of Member
        One for each fold, in order.
    whole : Member
        The one that leaves out none.
    """

    about: About
    table: pd.DataFrame
    beats: Beats
    method: str
    augment: Augment
    members: list[Member]
    whole: Member

    def prevalence_of_s(self, members: Sequence[Member]) -> float:
        """Mean share of S among the N and S beats that members draw."""
        shares = []
        for member in members:
            labels = self.beats.labels[member.draws.beat]
            n, s = (int(np.sum(labels == aami.CLASSES.index(name))) for name in "NS")
            shares.append(s / (n + s))
        return float(np.mean(shares))

    def thinned(self, fraction: float, seed: int) -> "Training":
        """Let the members learn from a fraction of the beats of each record and class; what is held out stays whole.

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
        return replace(self, members=[replace(one, draws=_drawn(one.draws, kept)) for one in self.members])


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
    learned = read_beats(folder)
    drawn = json.loads((folder / "draws.json").read_text(encoding="utf-8"))
    draws = pd.read_parquet(folder / "draws.parquet")
    # In memory: batches gather the signals in random order, which a mapped file is slow at.
    beats = Beats(np.array(learned.signals), learned.rhythm, learned.labels)
    *members, whole = _members(beats, learned.table["fold"], draws, drawn["held_out"])
    augment = augmentation(drawn["augment"], learned.about.fmt.rate_hz)
    return Training(learned.about, learned.table, beats, drawn["method"], augment, members, whole)


def _members(beats: Beats, folds: pd.Series, draws: pd.DataFrame, held_out: dict) -> Iterator[Member]:
    for fold, learned in held_out.items():
        rows = (folds == fold).to_numpy()
        mine = draws[draws["held_out"] == fold]
        columns = {name: mine[name].to_numpy() for name in ("beat", "partner", "mix", "altered")}
        weights = [learned["class_weights"][name] for name in aami.CLASSES]
        left_out = Beats(beats.signals[rows], beats.rhythm[rows], beats.labels[rows])
        yield Member(fold, rows, left_out, Draws(**columns, class_weights=weights), learned["rhythm"])


def augmentation(strength: dict[str, float], rate_hz: float) -> Augment:
    """Bind the strengths of the augmentation, with the shift in samples of these beats."""
    return partial(
        augment_beats,
        shift=strength["shift_s"] * rate_hz,
        scale=strength["scale"],
        noise=strength["noise"],
        wander=strength["wander"],
    )


def build(training: Training, scaler: Scaler, chosen: Fit, ensemble: Ensemble) -> keras.Model:
    """Build the network that hyperparameters describe, with the scaler of the rhythm features inside."""
    inputs = Inputs(training.about.fmt.shape, scaler["center"], scaler["scale"])
    builders: dict[type[Fit], Callable[..., keras.Model]] = {Cnn: build_cnn, Rnn: build_rnn}
    network = chosen.model_dump(exclude=FIT_KEYS) | {"dropout_rate": chosen.dropout_rate * ensemble.dropout}
    return builders[type(chosen)](inputs, **network, shape_tells_s=ensemble.shape_tells_s)


def settings_of(
    train: Train, chosen: Fit, ensemble: Ensemble, number: int, fraction_of_epochs: float = 1.0
) -> Settings:
    """Collect how to fit a member of the ensemble; each has a seed of its own."""
    fitted = chosen.model_dump(include=FIT_KEYS)
    fitted["epochs"] = max(1, round(chosen.epochs * ensemble.longer * fraction_of_epochs))
    fitted["batch_size"] = max(1, round(chosen.batch_size * ensemble.batch))
    return Settings(
        seed=train.seed + number,
        focal_gamma=train.focal_gamma,
        patience=None if ensemble.refit else train.patience,
        transplant=ensemble.transplant,
        **fitted,
    )


class OutOfFold:
    """Scores training beats by what the members that left them out gave them, adapted as for new recordings.

    Parameters
    ----------
    training : Training
    ensemble : Ensemble
        How probabilities are adapted.
    count : int
        The first so many members are there.

    Attributes
    ----------
    rows : ndarray of bool, shape (training beats,)
        The beats that a member left out.
    adaptation : Adaptation
    """

    def __init__(self, training: Training, ensemble: Ensemble, count: int) -> None:
        self.rows = np.logical_or.reduce([member.rows for member in training.members[:count]])
        self.labels = training.beats.labels[self.rows]
        self.adaptation = Adaptation(
            alike_beats=ensemble.alike_beats,
            prior_beats=ensemble.prior_beats,
            prevalence_of_s=training.prevalence_of_s(training.members[:count]),
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
            **{f"f1_{name}": scores["per_class"][name]["f1"] for name in "NSVF"},
        }
