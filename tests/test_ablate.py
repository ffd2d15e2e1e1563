import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from stages import ablate
from stages.config import code
from stages.config.ablation import Ablation, Idea
from stages.figures.learning import ablation_figure

IDEAS = (
    Idea(idea="the median beat", verdict="kept", changes={"extract.template": False, "train.x.prior_strength": None}),
    Idea(idea="SMOTE", verdict="dropped", models=("cnn",), changes={"balance.method": "smote"}),
)
SETTINGS = Ablation(seeds=(1, 2), everywhere={"tracking.mode": "disabled", "extract.template": True}, ideas=IDEAS)


def test_each_network_is_planned_as_committed_first_then_with_what_is_meant_for_it():
    runs = list(ablate.planned(SETTINGS))
    assert [(run.model, run.label, run.seed) for run in runs] == [
        ("cnn", "as committed", 1),
        ("cnn", "as committed", 2),
        ("cnn", "without the median beat", 1),
        ("cnn", "without the median beat", 2),
        ("cnn", "with SMOTE", 1),
        ("cnn", "with SMOTE", 2),
        ("rnn", "as committed", 1),
        ("rnn", "as committed", 2),
        ("rnn", "without the median beat", 1),
        ("rnn", "without the median beat", 2),
    ]
    assert runs[2].overrides == ("extract.template=false", "train.x.prior_strength=null")
    assert runs[0].settings == ("tracking.mode=disabled", "extract.template=true", "train.seed=1")
    assert sorted(runs[3].settings) == sorted(("tracking.mode=disabled", *runs[2].overrides, "train.seed=2"))


@pytest.mark.parametrize("value", [None, True, 0.5, 3, "smote", [], [0.2, 0.6]])
def test_values_are_written_as_they_are_read(value):
    assert yaml.safe_load(ablate.written(value)) == value
    assert "\n" not in ablate.written(value)


def test_an_experiment_has_a_name_of_its_own_for_each_version_of_what_it_reads():
    runs = list(ablate.planned(SETTINGS))
    names = [run.name(pipeline) for run in runs for pipeline in ("a: 1", "a: 2")]
    assert len(set(names)) == 2 * len(runs)
    assert names[0].startswith("cnn-as-committed-1-")
    assert all(name.replace("-", "").isalnum() for name in names)


PROJECT = Path.cwd()


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A copy of the code, the DAG and the parameters, to be changed."""
    shutil.copytree(PROJECT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy2(PROJECT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(code, "TOP", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "before", "after", "other"),
    [
        ("stages/extract.py", "\n\n\ndef ", "\n\n\nCHANGED = True\n\n\ndef ", True),
        ("stages/nets/fitting.py", "WARM_UP = 0.1", "WARM_UP = 0.2", True),
        ("stages/nets/fitting.py", '"""Fitting a network', '"""Fits a network', False),
        ("stages/predict.py", "\n\n\ndef ", "\n\n\nCHANGED = True\n\n\ndef ", False),
        ("params.yaml", "fs_hz: 360", "fs_hz: 250", True),
        ("params.yaml", "layer_1_size: 16 ", "layer_1_size: 24 ", True),
        ("params.yaml", "units: 32 ", "units: 48 ", False),
        ("params.yaml", "resamples: 5000", "resamples: 500", False),
        ("params.yaml", "# of the first member", "# of the very first member", False),
    ],
)
def test_what_a_network_does_not_read_does_not_make_its_experiments_others(project, file, before, after, other):
    pipeline, text = ablate.pipeline_of("cnn"), (project / file).read_text()
    assert before in text
    (project / file).write_text(text.replace(before, after, 1))
    assert (ablate.pipeline_of("cnn") != pipeline) == other


def scored():
    runs = [{**ablate.row_of(run), **dict.fromkeys(ablate.SCORES, 0.5)} for run in ablate.planned(SETTINGS)]
    table = pd.DataFrame(runs)
    table.loc[table["idea"] == "with SMOTE", "macro_f1_nsvf"] = [0.4, 0.5]
    return table


def test_the_table_has_mean_deviation_and_change_of_each_idea():
    table = ablate.mean_over_seeds(scored())
    assert table["idea"].tolist() == [
        "as committed",
        "without the median beat",
        "with SMOTE",
        "as committed",
        "without the median beat",
    ]
    smote = table.iloc[2]
    assert smote["macro_f1_nsvf"] == pytest.approx(0.45)
    assert smote["macro_f1_nsvf_sd"] == pytest.approx(0.0707107)
    assert smote["macro_f1_nsvf_change"] == pytest.approx(-0.05)
    assert table["seeds"].tolist() == [2] * 5
    assert table.loc[0, "changes"] == ""


def test_the_figure_has_a_row_an_idea_and_a_colour_a_network():
    (axes,) = ablation_figure(ablate.mean_over_seeds(scored()), "title").axes
    ideas = ["as committed", "without the median beat", "with SMOTE"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ideas
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["CNN", "RNN"]
    cnn, rnn = (bars.lines[0] for bars in axes.containers)
    assert [round(height) for height in cnn.get_ydata()] == [0, 1, 2]
    assert [round(height) for height in rnn.get_ydata()] == [0, 1]
    assert cnn.get_xdata()[2] == pytest.approx(0.45)


def test_a_failing_experiment_is_told(monkeypatch, tmp_path):
    (tmp_path / "params.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ablate.AblationError, match=r"cnn-as-committed-1-\w+ failed"):
        ablate.experiment("cnn-as-committed-1-abcdef", next(ablate.planned(SETTINGS)))


@pytest.mark.usefixtures("project")
def test_a_finished_experiment_is_not_run_again(monkeypatch):
    asked = []

    def read(path, rev):
        asked.append((path, rev))
        return json.dumps(dict.fromkeys(ablate.SCORES, 0.25))

    monkeypatch.setattr(ablate.dvc.api, "read", read)
    monkeypatch.setattr(ablate, "experiment", lambda *_: pytest.fail("was run"))
    assert ablate.experiment_scores(next(ablate.planned(SETTINGS)))["f1_V"] == 0.25
    assert asked[0][0] == "metrics/training/inter_patient/cnn/cross_validation.json"
