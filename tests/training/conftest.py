"""Made-up beats of two records to train on."""

import numpy as np
import pandas as pd
import pytest

from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About
from stages.ecg.folds import NO_FOLD
from stages.nets.fitting import Beats, Draws
from stages.training.folds import Fold, Training

COUNT = 80


@pytest.fixture
def training(beat_format):
    """Two records of 40 beats, a fold each; a quarter are S."""
    rng = np.random.default_rng(0)
    about = About("mitdb", "1.0.0", True, beat_format)
    labels = np.tile([0, 0, 0, 1], COUNT // 4)
    signals = rng.normal(size=(COUNT, *about.fmt.shape)).astype(np.float32)
    beats = Beats(signals, rng.normal(size=(COUNT, len(FEATURES))).astype(np.float32), labels)
    record = np.repeat(["101", "106"], COUNT // 2)
    table = pd.DataFrame({"record": record, "aami": [aami.CLASSES[label] for label in labels]})
    scaler = {"center": [0.0] * len(FEATURES), "scale": [1.0] * len(FEATURES)}
    folds = []
    for name in ("101", "106"):
        rows = record == name
        drawn = np.flatnonzero(~rows).astype(np.int32)
        none = np.zeros(len(drawn))
        draws = Draws(drawn, drawn, none.astype(np.float32), none.astype(bool), [1.0] * 5)
        held_out = Beats(beats.signals[rows], beats.rhythm[rows], beats.labels[rows])
        folds.append(Fold(name, rows, held_out, draws, scaler))
    everything = np.arange(COUNT, dtype=np.int32)
    none = np.zeros(COUNT)
    draws = Draws(everything, everything, none.astype(np.float32), none.astype(bool), [1.0] * 5)
    nothing = Beats(beats.signals[:0], beats.rhythm[:0], beats.labels[:0])
    all_beats = Fold(NO_FOLD, np.zeros(COUNT, dtype=bool), nothing, draws, scaler)
    return Training(about, table, beats, "none", lambda signals, _: signals, folds, all_beats)
