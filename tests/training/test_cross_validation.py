"""What a trial of a search learns from and is scored on, with made-up beats of two records."""

import numpy as np
import pandas as pd
import pytest

from stages import train
from stages.config.params import load_params
from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About
from stages.ecg.folds import NO_FOLD
from stages.nets.fitting import Beats, Draws
from stages.training import cross_validation as cross_validating
from stages.training.cross_validation import CrossValidation
from stages.training.folds import Member, Training, build

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
    members = []
    for name in ("101", "106"):
        rows = record == name
        drawn = np.flatnonzero(~rows).astype(np.int32)
        none = np.zeros(len(drawn))
        draws = Draws(drawn, drawn, none.astype(np.float32), none.astype(bool), [1.0] * 5)
        held_out = Beats(beats.signals[rows], beats.rhythm[rows], beats.labels[rows])
        members.append(Member(name, rows, held_out, draws, scaler))
    everything = np.arange(COUNT, dtype=np.int32)
    none = np.zeros(COUNT)
    draws = Draws(everything, everything, none.astype(np.float32), none.astype(bool), [1.0] * 5)
    nothing = Beats(beats.signals[:0], beats.rhythm[:0], beats.labels[:0])
    whole = Member(NO_FOLD, np.zeros(COUNT, dtype=bool), nothing, draws, scaler)
    return Training(about, table, beats, "none", lambda signals, _: signals, members, whole)


def test_a_fraction_is_taken_of_each_record_and_class_and_what_is_held_out_stays_whole(training):
    thin = training.thinned(0.3, seed=1)
    for member, whole in zip(thin.members, training.members, strict=True):
        labels = training.beats.labels[member.draws.beat]
        assert np.bincount(labels).tolist() == [9, 3]  # of 30 N and 10 S
        assert set(member.draws.beat) < set(whole.draws.beat)
        np.testing.assert_array_equal(member.held_out.signals, whole.held_out.signals)
        np.testing.assert_array_equal(member.rows, whole.rows)


def test_of_each_record_and_class_at_least_one_beat_is_kept(training):
    for member in training.thinned(0.001, seed=1).members:
        assert sorted(training.beats.labels[member.draws.beat]) == [0, 1]


def test_the_whole_is_the_whole(training):
    assert training.thinned(1.0, seed=1) is training


def test_a_trial_runs_its_fraction_of_the_epochs_and_scores_every_beat(training, monkeypatch):
    monkeypatch.setattr(cross_validating, "read_training", lambda protocol: training)
    params = load_params()
    sweep = params.sweep.model_copy(update={"fraction_of_beats": 0.5, "fraction_of_epochs": 0.2})
    objective = CrossValidation(params.model_copy(update={"sweep": sweep}), "cnn")
    config = params.train.cnn.model_dump() | {"epochs": 10, "layer_1_size": 4, "layer_2_size": 4, "layer_3_size": 4}
    told = []
    objective(config, told.append)
    assert [scores["epochs_run"] for scores in told] == [1, 2]
    assert {scores["of_epochs"] for scores in told} == {2}
    assert [scores["beats_drawn"] for scores in told] == [40, 80]
    assert objective.judged.rows.all()


@pytest.mark.parametrize(("refit", "averaged"), [(True, [2, 3, 4]), (False, [0, 1])])
def test_the_ensemble_is_of_the_networks_refitted_and_only_the_others_are_scored(
    training, monkeypatch, tmp_path, refit, averaged
):
    """Every weight of a made-up fit is its number, so that a network can be followed into the ensemble."""
    params = load_params()
    ensemble = params.train.inter_patient.model_copy(update={"members": 3, "refit": refit})
    params = params.model_copy(update={"train": params.train.model_copy(update={"inter_patient": ensemble})})
    learned = []

    def fit_member(protocol, name, params, training, learner, number, title, checkpoints):
        learned.append(learner.fold)
        weights = build(training, learner.scaler, params.train.cnn, ensemble).get_weights()
        history = pd.DataFrame({"epoch": [0], "loss": [1.0], "best": [True]})
        judged = np.full((learner.rows.sum(), len(aami.CLASSES)), number, dtype=np.float32)
        return [np.full_like(array, number) for array in weights], history, judged

    monkeypatch.setattr(train, "fit_member", fit_member)
    monkeypatch.setattr(train, "processes", lambda: 1)
    fitted = train.fit_ensemble("inter_patient", "cnn", params, training, "made up", tmp_path)
    assert learned == ["101", "106", *[NO_FOLD] * (3 if refit else 0)]
    assert [network.get_weights()[0].flat[0] for network in fitted.members] == averaged
    assert (fitted.folds, fitted.history["fold"].tolist()) == (2, ["101", "106"])
    np.testing.assert_array_equal(fitted.probabilities[:, 0], np.repeat([0, 1], COUNT // 2))
