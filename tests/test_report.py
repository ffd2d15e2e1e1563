"""The files that the report stage writes, from the committed numbers."""

import pytest

from stages import report
from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, load_params


@pytest.fixture
def told_shortly(tmp_path, monkeypatch):
    """The stage, with pages of one line, writing to a folder of the test."""
    monkeypatch.setattr(paths, "METRICS", tmp_path / "metrics")
    monkeypatch.setattr(paths, "MODELS", tmp_path / "models")
    monkeypatch.setattr(report, "report_page", lambda results: f"page of {len(results.scores)} protocols")
    monkeypatch.setattr(report, "model_card", lambda protocol, model, results: f"card of {protocol} {model}")
    return tmp_path


def test_there_is_one_page_and_a_card_for_each_model_and_nothing_else(told_shortly):
    report.report(load_params())
    written = {path.relative_to(told_shortly).as_posix() for path in told_shortly.rglob("*") if path.is_file()}
    cards = {f"models/{protocol}/{model}.md" for protocol in PROTOCOLS for model in MODELS}
    assert written == {"metrics/report.html", *cards}


def test_each_card_is_that_of_its_model(told_shortly):
    report.report(load_params())
    assert (told_shortly / "metrics" / "report.html").read_text() == "page of 2 protocols"
    assert (told_shortly / "models" / "inter_patient" / "rnn.md").read_text() == "card of inter_patient rnn"
