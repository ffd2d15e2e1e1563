"""Split the beats into folds by one protocol and say how those to train on are drawn.

``data/beats/`` in; ``data/balanced/<protocol>/{train,test}/`` out, two separate outputs: what depends on ``train``
alone cannot have seen ``test``. The column ``fold`` of the training beats says by whom each is held out.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config.params import PROTOCOLS, Balance, Params, ParamsError
from stages.config.paths import BALANCED, BEATS, METRICS
from stages.config.runner import run_stage
from stages.ecg import aami, folds
from stages.ecg.balancing import class_weights, draw_beats, robust_scale, smote_partners
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import BeatSet, read_beats, write_beats
from stages.ecg.databases import DATABASES
from stages.files.writing import write_json

CHUNK = 8192
CLASSES = len(aami.CLASSES)

log = logging.getLogger(__name__)


def balance(params: Params, protocol: str) -> None:
    """Write training and test beats, the draws for each fold held out, and the number of beats in each fold."""
    split(read_beats(BEATS), protocol, params.balance, BALANCED / protocol, METRICS / "balance" / protocol)


def split(beats: BeatSet, protocol: str, settings: Balance, balanced: Path, metrics: Path) -> None:
    """Write training and test beats, the draws for each fold held out, and the number of beats in each fold."""
    fold_of_beat = assign_folds(beats, protocol, settings)
    beats.table["fold"] = fold_of_beat
    trained_on = ~fold_of_beat.isin([folds.TEST, folds.NO_FOLD])
    for name, chosen in (("train", trained_on), ("test", fold_of_beat == folds.TEST)):
        write_beats(balanced / name, beats.about, _chunks(beats, np.flatnonzero(chosen)))
    write_draws(balanced / "train", settings)
    counts = beats_of_folds(beats.table, fold_of_beat)
    label = folds.label(protocol, beats.about.synthetic)
    write_json(metrics / "folds.json", {"protocol": label, "beats": counts.to_dict(orient="index")})
    tidy(counts).to_csv(metrics / "folds.csv", index=False)
    log.info("%s\n%s", label, counts)


def assign_folds(beats: BeatSet, protocol: str, settings: Balance) -> pd.Series:
    """Name the fold of every beat.

    Raises
    ------
    ParamsError
        If no folds are named for the database.
    """
    if protocol == "intra_patient":
        return folds.patient_mixed(beats.table, settings.mixed_folds, settings.test_fraction, settings.seed)
    name = beats.about.database
    if name not in settings.folds:
        raise ParamsError(f"params.yaml: balance.folds names no records of database {name}; add {name}: [[...], ...]")
    return folds.inter_patient(beats.table, DATABASES[name], settings.folds[name])


def write_draws(train: Path, settings: Balance) -> None:
    """Write, for each fold held out and for none, which other beats are drawn, and what is measured on them alone."""
    beats = read_beats(train)
    usable = ~(beats.table["flat"] | beats.table["invalid"]).to_numpy()
    draws, measured = [], {}
    for fold in [*sorted(beats.table["fold"].unique()), folds.NO_FOLD]:
        others = (beats.table["fold"] != fold).to_numpy()
        draws.append(draw_fold(beats, others & usable, settings).assign(held_out=fold))
        labels = beats.labels[others]
        weights = class_weights(labels, settings.ratio) if settings.method == "class_weight" else np.ones(CLASSES)
        center, scale = robust_scale(beats.rhythm[others])
        measured[fold] = {
            "class_weights": dict(zip(aami.CLASSES, weights.tolist(), strict=True)),
            "rhythm": {"features": FEATURES, "center": center.tolist(), "scale": scale.tolist()},
        }
    pd.concat(draws, ignore_index=True).to_parquet(train / "draws.parquet", index=False)
    about = {
        "method": settings.method,
        "left_out": int((~usable).sum()),
        "augment": settings.augment.model_dump(),
        "held_out": measured,
    }
    write_json(train / "draws.json", about)


def draw_fold(beats: BeatSet, drawable: NDArray[np.bool_], settings: Balance) -> pd.DataFrame:
    """Draw an epoch of the drawable beats."""
    rng = np.random.default_rng(settings.seed)
    draws = draw_beats(beats.labels, drawable, settings.method, settings.ratio, rng)
    if settings.method == "smote":
        draws = smote_partners(draws, beats.signals, beats.labels, settings.smote_neighbours, rng)
    return draws.drop(columns="extra")


def beats_of_folds(table: pd.DataFrame, fold_of_beat: pd.Series) -> pd.DataFrame:
    """Count the beats of each class (columns) in each fold (rows)."""
    counts = pd.crosstab(fold_of_beat, table["aami"]).reindex(columns=aami.CLASSES, fill_value=0)
    counts = counts.drop(index=folds.NO_FOLD, errors="ignore").rename_axis("fold")
    return counts.rename(index=lambda fold: fold if fold == folds.TEST else f"fold {fold}")


def tidy(counts: pd.DataFrame) -> pd.DataFrame:
    """Put each count in a row of its own, with ``fold`` and ``class``."""
    return counts.reset_index().melt(id_vars="fold", var_name="class", value_name="beats")


def _chunks(beats: BeatSet, chosen: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
    for start in range(0, len(chosen), CHUNK):
        rows = chosen[start : start + CHUNK]
        yield beats.signals[rows], beats.table.iloc[rows]


if __name__ == "__main__":
    run_stage(balance, protocol=PROTOCOLS)
