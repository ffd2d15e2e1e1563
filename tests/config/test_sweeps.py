from pathlib import Path

import pytest
import yaml

from stages.config.params import MODELS, ParamsError
from stages.config.sweeps import load_sweep


@pytest.fixture
def changed(tmp_path):
    """Load a copy of a sweep configuration in which one key, given by its path, has another value."""

    def load(model, path, value):
        configuration = yaml.safe_load(Path(f"sweeps/{model}.yaml").read_text())
        *sections, key = path.split(".")
        section = configuration
        for name in sections:
            section = section[name]
        section[key] = value
        (tmp_path / f"{model}.yaml").write_text(yaml.safe_dump(configuration))
        return load_sweep(model, tmp_path)

    return load


@pytest.mark.parametrize("model", MODELS)
def test_the_committed_sweeps_are_valid_and_run_the_trials_of_their_network(model):
    assert load_sweep(model).command == ("python", "-m", "stages.sweep", "trial", "--model", model)


@pytest.mark.parametrize("model", MODELS)
def test_a_sweep_names_every_hyperparameter_of_its_network(changed, model):
    space = yaml.safe_load(Path(f"sweeps/{model}.yaml").read_text())["parameters"]
    space["droput_rate"] = space.pop("dropout_rate")
    expected = rf"{model}.yaml has 1 .*\n  parameters: .*missing \['dropout_rate'\], unknown \['droput_rate'\]"
    with pytest.raises(ParamsError, match=expected):
        changed(model, "parameters", space)


def test_a_sweep_stays_within_what_train_takes(changed):
    with pytest.raises(ParamsError, match=r"parameters.dropout_rate: .*less than or equal to 0.8; found 0.9"):
        changed("cnn", "parameters.dropout_rate", {"min": 0.1, "max": 0.9})
    with pytest.raises(ParamsError, match=r"parameters.epochs: .*valid integer.*; found 7.5"):
        changed("cnn", "parameters.epochs", {"values": [6, 7.5]})
    with pytest.raises(ParamsError, match=r"parameters.layer_type: .*found 'transformer'"):
        changed("rnn", "parameters.layer_type", {"values": ["gru", "transformer"]})


def test_a_sweep_is_for_a_score_that_trials_have(changed):
    with pytest.raises(ParamsError, match=r"metric.name: expected one of val_macro_f1, .*; found test_accuracy"):
        changed("cnn", "metric", {"name": "test_accuracy", "goal": "maximize"})


def test_an_unknown_key_of_a_sweep_is_named(changed):
    with pytest.raises(ParamsError, match=r"early_terminate.minn_iter: unknown key"):
        changed("cnn", "early_terminate", {"type": "hyperband", "minn_iter": 3})


def test_a_sweep_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"rnn.yaml is missing"):
        load_sweep("rnn", tmp_path)
