from pathlib import Path

import pytest
import yaml

from stages.config.params import ParamsError, load_params

PARAMS = yaml.safe_load(Path("params.yaml").read_text())


@pytest.fixture
def changed(tmp_path):
    """Load a copy of params.yaml in which one key, given by its path, has another value."""

    def load(path, value):
        params = yaml.safe_load(yaml.safe_dump(PARAMS))
        *sections, key = path.split(".")
        section = params
        for name in sections:
            section = section[name]
        section[key] = value
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        return load_params(tmp_path / "params.yaml")

    return load


def test_the_committed_parameters_are_valid():
    params = load_params()
    assert params.train.cnn.epochs >= 1
    assert params.extract.beat_format.shape == (198, 2)


def test_a_typo_is_named_with_the_right_key(changed):
    with pytest.raises(ParamsError, match=r"train.cnn.droput_rate: unknown key; did you mean train.cnn.dropout_rate\?"):
        changed("train.cnn.droput_rate", 0.2)


def test_a_misspelt_section_is_named(changed):
    with pytest.raises(ParamsError, match=r"evaluatee: unknown key; did you mean evaluate\?"):
        changed("evaluatee", {})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("train.cnn.dropout_rate", 1.5),
        ("train.cnn.epochs", 0),
        ("train.cnn.epochs", 2.5),
        ("train.rnn.layer_type", "transformer"),
        ("balance.method", "magic"),
        ("extract.fs_hz", "fast"),
        ("extract.leads", []),
        ("download.database", "mitbd"),
        ("train.seed", -1),
    ],
)
def test_a_value_out_of_range_is_named_and_shown(changed, path, value):
    with pytest.raises(ParamsError) as caught:
        changed(path, value)
    assert f"{path}: " in str(caught.value)
    assert f"found {value!r}" in str(caught.value)


def test_several_problems_are_told_at_once(tmp_path):
    (tmp_path / "params.yaml").write_text("download: {}\n")
    with pytest.raises(ParamsError, match=r"(?s)download.source: missing.*train: missing"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("strange", ["test record", "record twice", "record missing", "one group", "empty group"])
def test_the_folds_are_groups_of_ds1(changed, strange):
    groups = [list(records) for records in PARAMS["balance"]["folds"]["mitdb"]]
    if strange == "test record":
        groups[0][0] = "100"
    elif strange == "record twice":
        groups[0].append(groups[1][0])
    elif strange == "record missing":
        groups[0].pop()
    elif strange == "one group":
        groups = [[record for records in groups for record in records]]
    else:
        groups.append([])
    with pytest.raises(
        ParamsError, match=r"folds.mitdb: expected two groups or more, with every DS1 record \(101 .*230"
    ):
        changed("balance.folds.mitdb", groups)


def test_synthetic_data_cannot_pass_for_another_source(changed):
    with pytest.raises(ParamsError, match="database synthetic needs source synthetic"):
        changed("download.database", "synthetic")


def test_missing_or_broken_file(tmp_path):
    with pytest.raises(ParamsError, match="is missing; run from the top folder"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(ParamsError, match="no valid YAML"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- a")
    with pytest.raises(ParamsError, match="holds list"):
        load_params(tmp_path / "params.yaml")


def test_beats_of_the_past_may_be_shared_among_those_alike(changed):
    params = changed("extract.statistics", "past")
    assert params.train.inter_patient.alike_beats is not None


@pytest.mark.parametrize(("path", "value"), [("train.focal_gamma", 2.0), ("balance.method", "class_weight")])
def test_uncalibrated_probabilities_are_not_adapted(changed, path, value):
    with pytest.raises(ParamsError, match=r"train.inter_patient.prior_beats: expected null"):
        changed(path, value)


@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_a_sweep_names_every_hyperparameter_of_its_network(changed, model):
    space = dict(PARAMS["sweep"][model]["parameters"])
    space["droput_rate"] = space.pop("dropout_rate")
    expected = rf"sweep: {model}.parameters: .*missing \['dropout_rate'\], unknown \['droput_rate'\]"
    with pytest.raises(ParamsError, match=expected):
        changed(f"sweep.{model}.parameters", space)


def test_a_sweep_stays_within_what_train_takes(changed):
    with pytest.raises(ParamsError, match=r"cnn.parameters.dropout_rate: .*less than or equal to 0.8; found 0.9"):
        changed("sweep.cnn.parameters.dropout_rate", {"min": 0.1, "max": 0.9})
    with pytest.raises(ParamsError, match=r"cnn.parameters.epochs: .*valid integer.*; found 7.5"):
        changed("sweep.cnn.parameters.epochs", {"values": [6, 7.5]})
    with pytest.raises(ParamsError, match=r"rnn.parameters.layer_type: .*found 'transformer'"):
        changed("sweep.rnn.parameters.layer_type", {"values": ["gru", "transformer"]})


def test_a_sweep_is_for_a_score_that_trials_have(changed):
    with pytest.raises(ParamsError, match=r"cnn.metric.name: expected one of val_macro_f1, .*; found test_accuracy"):
        changed("sweep.cnn.metric", {"name": "test_accuracy", "goal": "maximize"})


def test_an_unknown_key_of_a_sweep_is_named(changed):
    with pytest.raises(ParamsError, match=r"sweep.cnn.early_terminate.minn_iter: unknown key"):
        changed("sweep.cnn.early_terminate", {"type": "hyperband", "minn_iter": 3})
