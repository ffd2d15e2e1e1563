import json

import pandas as pd
import pytest
import yaml

from stages import ablate
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
    names = [run.name(pipeline) for run in runs for pipeline in (b"a: 1", b"a: 2")]
    assert len(set(names)) == 2 * len(runs)
    assert names[0].startswith("cnn-as-committed-1-")
    assert all(name.replace("-", "").isalnum() for name in names)


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A project whose stages read one file of code each, data, and two parameters."""
    monkeypatch.chdir(tmp_path)
    locked = {}
    for name in ("download", "extract", "balance@inter_patient", "train@inter_patient-cnn"):
        code = f"stages/{name.partition('@')[0]}.py"
        locked[name] = {
            "deps": [{"path": code, "md5": "0"}, {"path": "data/raw", "md5": "0"}],
            "params": {"params.yaml": {"extract.fs_hz": 1, "train.cnn": {}}},
        }
        (tmp_path / code).parent.mkdir(exist_ok=True)
        (tmp_path / code).write_text(name)
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": locked}))
    (tmp_path / "params.yaml").write_text("extract: {fs_hz: 360}\ntrain: {cnn: {epochs: 1}, rnn: {epochs: 1}}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "other"),
    [
        ("stages/extract.py", "changed", True),
        ("stages/predict.py", "changed", False),
        ("params.yaml", "extract: {fs_hz: 250}\ntrain: {cnn: {epochs: 1}, rnn: {epochs: 1}}\n", True),
        ("params.yaml", "extract: {fs_hz: 360}\ntrain: {cnn: {epochs: 2}, rnn: {epochs: 1}}\n", True),
        ("params.yaml", "extract: {fs_hz: 360}\ntrain: {cnn: {epochs: 1}, rnn: {epochs: 2}}\n", False),
    ],
)
def test_what_a_network_does_not_read_does_not_make_its_experiments_others(project, file, text, other):
    before = ablate.pipeline_of("cnn")
    (project / file).write_text(text)
    assert (ablate.pipeline_of("cnn") != before) == other


def test_stages_that_never_ran_are_named(project):
    with pytest.raises(ablate.AblationError, match=r"dvc.lock has no train@inter_patient-rnn; run `dvc repro"):
        ablate.pipeline_of("rnn")
    (project / "dvc.lock").unlink()
    with pytest.raises(ablate.AblationError, match=r"has no download, extract, balance@inter_patient, train@"):
        ablate.pipeline_of("cnn")


def scored():
    runs = [{**ablate.described(run), **dict.fromkeys(ablate.SCORES, 0.5)} for run in ablate.planned(SETTINGS)]
    table = pd.DataFrame(runs)
    table.loc[table["idea"] == "with SMOTE", "macro_f1_nsvf"] = [0.4, 0.5]
    return table


def test_the_table_has_mean_deviation_and_change_of_each_idea():
    table = ablate.summarise(scored())
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
    (axes,) = ablation_figure(ablate.summarise(scored()), "title").axes
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
    assert ablate.scores_of(next(ablate.planned(SETTINGS)))["f1_V"] == 0.25
    assert asked[0][0] == "metrics/training/inter_patient/cnn/cross_validation.json"
