from pathlib import Path

import pytest
import yaml

from stages.config.ablation import load_ablation
from stages.config.params import ParamsError


@pytest.fixture
def changed(tmp_path):
    """Load a copy of ablation.yaml with other values of some keys."""

    def load(**values):
        plan = yaml.safe_load(Path("ablation.yaml").read_text()) | values
        (tmp_path / "ablation.yaml").write_text(yaml.safe_dump(plan))
        return load_ablation(tmp_path / "ablation.yaml")

    return load


def idea(**values):
    return {"idea": "fewer epochs", "verdict": "dropped", "changes": {"train.cnn.epochs": 1}, **values}


def test_the_committed_plan_is_valid():
    plan = load_ablation()
    assert {idea.verdict for idea in plan.ideas} == {"kept", "dropped"}
    assert plan.ideas[0].label.startswith("without ")


def test_an_idea_is_for_both_networks_unless_it_says_so(changed):
    assert changed(ideas=[idea()]).ideas[0].models == ("cnn", "rnn")
    assert changed(ideas=[idea(models=["rnn"])]).ideas[0].models == ("rnn",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeds": []}, r"seeds: .*found \[\]"),
        ({"seedz": [1]}, r"seedz: unknown key; did you mean seeds\?"),
        ({"ideas": [idea(verdict="perhaps")]}, r"ideas.0.verdict: .*found 'perhaps'"),
        ({"ideas": [idea(changes={})]}, r"ideas.0.changes: "),
        (
            {"ideas": [idea(changes={"train.cnn.epoch": 1})]},
            r"ideas.0.changes.train.cnn.epoch: .*mean train.cnn.epochs\?",
        ),
        (
            {"ideas": [idea(), idea(changes={"train.inter_patient.longer": 2.0})]},
            r"ideas.1.changes.train.inter_patient.longer: this key is now called train.inter_patient.epochs_factor",
        ),
        ({"everywhere": {"train.seeed": 1}}, r"everywhere.train.seeed: unknown key; did you mean train.seed\?"),
    ],
)
def test_what_is_wrong_is_named_and_shown(changed, values, message):
    with pytest.raises(ParamsError, match=message):
        changed(**values)


def test_a_plan_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"ablation.yaml is missing; run from the top folder"):
        load_ablation(tmp_path / "ablation.yaml")
