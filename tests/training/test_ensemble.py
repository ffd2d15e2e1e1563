"""Which networks are fitted, and what the train stage makes of them; the fits are made up."""

import json

import numpy as np
import pandas as pd
import pytest

from stages import train
from stages.config import paths
from stages.config.params import load_params
from stages.ecg import aami
from stages.ecg.folds import NO_FOLD
from stages.nets.classifying import adaptation_of
from stages.nets.saving import load_network
from stages.training import ensemble
from stages.training.ensemble import FittedFold, Plan, fit_plan
from stages.training.folds import build, design_of


def changed_params(**changes):
    params = load_params()
    changed = params.train.inter_patient.model_copy(update=changes)
    return params.model_copy(update={"train": params.train.model_copy(update={"inter_patient": changed})})


@pytest.fixture
def left_out(monkeypatch):
    """Replace the fits by made-up ones, whose weights are their numbers, and record the folds that they leave out."""
    folds = []

    def fit_fold(plan, fold, number):
        folds.append(fold.name)
        weights = build(plan.training, fold.scaler, plan.design).get_weights()
        history = pd.DataFrame({"epoch": [0, 1], "loss": [1.0, 0.5], "best": [False, True], "val_macro_f1": [0.2, 0.3]})
        probabilities = np.full((fold.rows.sum(), len(aami.CLASSES)), 0.1, dtype=np.float32)
        probabilities[:, number] = 0.6
        return FittedFold(fold, [np.full_like(array, number) for array in weights], history, probabilities)

    monkeypatch.setattr(ensemble, "fit_fold", fit_fold)
    monkeypatch.setattr(ensemble, "processes", lambda: 1)
    return folds


@pytest.mark.parametrize(("refit", "averaged"), [(True, [2, 3, 4]), (False, [0, 1])])
def test_the_ensemble_is_of_the_networks_refitted_and_only_the_others_are_scored(
    training, left_out, tmp_path, refit, averaged
):
    params = changed_params(members=3, refit=refit)
    design = design_of(params, "inter_patient", "cnn")
    validated, fitted = fit_plan(Plan("made up", "inter_patient", design, training, params.tracking, tmp_path))
    assert left_out == ["101", "106", *[NO_FOLD] * (3 if refit else 0)]
    assert [network.get_weights()[0].flat[0] for network in fitted.members] == averaged
    assert [fold.name for fold in validated.folds] == ["101", "106"]
    assert validated.history["fold"].tolist() == ["101", "101", "106", "106"]
    np.testing.assert_array_equal(validated.probabilities.argmax(axis=1), training.table["record"] == "106")


def test_the_folds_and_the_refits_of_a_network_have_names_of_their_own(training, tmp_path):
    params = changed_params(members=2, refit=True)
    plan = Plan("made up", "", design_of(params, "inter_patient", "rnn"), training, params.tracking, tmp_path)
    folds = [*plan.cross_validated, *plan.refitted]
    parts = [plan.part(fold, number) for number, fold in enumerate(folds)]
    assert parts == ["fold 101", "fold 106", "refit 2", "refit 3"]


@pytest.fixture
def trained(training, left_out, monkeypatch, tmp_path, caplog):
    """The folder in which the train stage ran."""
    params = changed_params(members=1, refit=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "read_training", lambda protocol: training)
    with caplog.at_level("INFO"):
        train.train(params, "inter_patient", "cnn")
    return tmp_path


def test_the_train_stage_writes_numbers_where_they_are_looked_for(trained, training):
    folder = trained / paths.METRICS / "training/inter_patient/cnn"
    assert {path.name for path in folder.iterdir()} == {
        "history.csv",
        "cross_validation.json",
        "folds.csv",
        "machine.json",
    }
    scores = json.loads((folder / "cross_validation.json").read_text())
    assert "SYNTHETIC" in scores["title"]
    assert scores["beats"] == len(training.table)
    assert [name for name, value in scores.items() if not isinstance(value, int | float)] == ["title", "f1_V", "f1_F"]
    headline = json.loads((folder.parent / "cnn.json").read_text())
    assert headline == {"cross_validated_macro_f1_nsvf": round(scores["macro_f1_nsvf"], 6)}
    folds = pd.read_csv(folder / "folds.csv")
    assert folds.to_dict("list") == {"fold": [101, 106], "best_epoch": [2, 2], "macro_f1_nsvf": [0.3, 0.3]}
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == [1, 2, 1, 2]
    assert json.loads((folder / "machine.json").read_text())["cores"] >= 1


def test_the_last_line_is_the_score_that_designs_are_chosen_by(trained, caplog):
    scores = json.loads((trained / paths.METRICS / "training/inter_patient/cnn/cross_validation.json").read_text())
    shown = "macro F1 (N S V F) {macro_f1_nsvf:.4f}  accuracy {accuracy:.4f}  F1 of S {f1_S:.4f}"  # no V is there
    last = caplog.get_records("setup")[-1].getMessage()
    assert last == f"cnn inter-patient, SYNTHETIC data, cross-validated: {shown.format(**scores)}"


def test_the_model_says_how_to_adapt_to_a_patient(trained, training):
    _, about = load_network(trained / paths.MODELS / "inter_patient/cnn.keras")
    adaptation = adaptation_of(about)
    assert (adaptation.n_neighbors, adaptation.prior_strength) == (5, 1000.0)
    assert adaptation.prevalence_of_s == training.prevalence_of_s([training.all_beats]) == 0.25
    assert not list((trained / paths.MODELS).glob("*/.*"))
