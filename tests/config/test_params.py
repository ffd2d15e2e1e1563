from pathlib import Path

import pytest
import yaml

from stages.config.params import MODELS, MOVED, PROTOCOLS, RENAMED, ParamsError, load_params

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


def test_beats_of_the_past_may_be_nearest_neighbours(changed):
    params = changed("extract.statistics", "past")
    assert params.train.inter_patient.n_neighbors is not None


@pytest.mark.parametrize(("path", "value"), [("train.focal_gamma", 2.0), ("balance.method", "class_weight")])
def test_uncalibrated_probabilities_are_not_adapted(changed, path, value):
    with pytest.raises(ParamsError, match=r"train.inter_patient.prior_strength: expected null"):
        changed(path, value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("longer", "epochs_factor"),
        ("batch", "batch_size_factor"),
        ("dropout", "dropout_factor"),
        ("shape_tells_s", "morphology_separates_s"),
        ("transplant", "template_swap"),
        ("alike_beats", "n_neighbors"),
        ("prior_beats", "prior_strength"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_key_of_an_earlier_version_is_named_with_its_new_name(changed, protocol, old, new):
    message = f"train.{protocol}.{old}: this key is now called train.{protocol}.{new}"
    with pytest.raises(ParamsError, match=message):
        changed(f"train.{protocol}.{old}", 1)


def test_a_key_under_its_old_name_is_not_called_missing_as_well(tmp_path):
    text = Path("params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("epochs_factor: 6.0", "longer: 6.0"))
    with pytest.raises(ParamsError, match=r"1 problem\(s\):\n  train.intra_patient.longer: .*epochs_factor$"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("section", "file"),
    [("sweep.cnn", "sweeps/cnn.yaml"), ("sweep.rnn", "sweeps/rnn.yaml"), ("ablation", "ablation.yaml")],
)
def test_a_section_that_became_a_file_is_named_with_that_file(changed, section, file):
    with pytest.raises(ParamsError, match=rf"{section}: this section is now the file {file}"):
        changed(section, {"run_cap": 3})


def test_every_new_name_is_there():
    params = load_params().model_dump()
    for new in RENAMED.values():
        section = params
        for name in new.split("."):
            assert name in section
            section = section[name]
    assert all(Path(file).is_file() for file in MOVED.values())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("model", MODELS)
def test_sections_are_given_by_name(protocol, model):
    train = load_params().train
    assert train.ensemble(protocol) is getattr(train, protocol)
    assert train.network(model) is getattr(train, model)
