"""What a trial of a search is trained on and scored on."""

import numpy as np
import pytest

from stages.config.params import load_params
from stages.training import cross_validation
from stages.training.cross_validation import CrossValidation


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


@pytest.mark.slow
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
