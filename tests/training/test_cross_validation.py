"""What a trial of a search is trained on and scored on, with made-up beats of two records."""

import numpy as np
import pandas as pd
import pytest

from stages.config.params import load_params
from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About
from stages.ecg.folds import NO_FOLD
from stages.nets.fitting import Beats, Draws
from stages.training import cross_validation, ensemble
from stages.training.cross_validation import CrossValidation
from stages.training.ensemble import FittedFold, Plan, fit_plan
from stages.training.folds import Fold, Training, build, design_of

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


def test_a_fraction_is_taken_of_each_record_and_class_and_what_is_held_out_stays_as_it_is(training):
    subsampled = training.subsampled(0.3, seed=1)
    for fold, of_all in zip(subsampled.folds, training.folds, strict=True):
        labels = training.beats.labels[fold.draws.beat]
        assert np.bincount(labels).tolist() == [9, 3]  # of 30 N and 10 S
        assert set(fold.draws.beat) < set(of_all.draws.beat)
        np.testing.assert_array_equal(fold.held_out.signals, of_all.held_out.signals)
        np.testing.assert_array_equal(fold.rows, of_all.rows)


def test_of_each_record_and_class_at_least_one_beat_is_kept(training):
    for fold in training.subsampled(0.001, seed=1).folds:
        assert sorted(training.beats.labels[fold.draws.beat]) == [0, 1]


def test_all_of_the_beats_are_all_of_them(training):
    assert training.subsampled(1.0, seed=1) is training


def test_a_trial_runs_its_fraction_of_the_epochs_and_scores_every_beat(training, monkeypatch):
    monkeypatch.setattr(cross_validation, "read_training", lambda protocol: training)
    params = load_params()
    sweep = params.sweep.model_copy(update={"fraction_of_beats": 0.5, "fraction_of_epochs": 0.2})
    objective = CrossValidation(params.model_copy(update={"sweep": sweep}), "cnn")
    config = params.train.cnn.model_dump() | {"epochs": 10, "layer_1_size": 4, "layer_2_size": 4, "layer_3_size": 4}
    reported = []
    objective(config, reported.append)
    assert [scores["epochs_run"] for scores in reported] == [1, 2]
    assert {scores["of_epochs"] for scores in reported} == {2}
    assert [scores["beats_drawn"] for scores in reported] == [40, 80]
    assert objective.out_of_fold.rows.all()


@pytest.mark.parametrize(("refit", "averaged"), [(True, [2, 3, 4]), (False, [0, 1])])
def test_the_ensemble_is_of_the_networks_refitted_and_only_the_others_are_scored(
    training, monkeypatch, tmp_path, refit, averaged
):
    """Every weight of a made-up fit is its number, so that a network can be followed into the ensemble."""
    params = load_params()
    changed = params.train.inter_patient.model_copy(update={"members": 3, "refit": refit})
    params = params.model_copy(update={"train": params.train.model_copy(update={"inter_patient": changed})})
    design = design_of(params, "inter_patient", "cnn")
    left_out = []

    def fit_fold(plan, fold, number):
        left_out.append(fold.name)
        weights = build(plan.training, fold.scaler, design).get_weights()
        history = pd.DataFrame({"epoch": [0], "loss": [1.0], "best": [True]})
        probabilities = np.full((fold.rows.sum(), len(aami.CLASSES)), number, dtype=np.float32)
        return FittedFold(fold, [np.full_like(array, number) for array in weights], history, probabilities)

    monkeypatch.setattr(ensemble, "fit_fold", fit_fold)
    monkeypatch.setattr(ensemble, "processes", lambda: 1)
    validated, fitted = fit_plan(Plan("made up", "inter_patient", design, training, params.tracking, tmp_path))
    assert left_out == ["101", "106", *[NO_FOLD] * (3 if refit else 0)]
    assert [network.get_weights()[0].flat[0] for network in fitted.members] == averaged
    assert [fold.name for fold in validated.folds] == validated.history["fold"].tolist() == ["101", "106"]
    np.testing.assert_array_equal(validated.probabilities[:, 0], np.repeat([0, 1], COUNT // 2))
