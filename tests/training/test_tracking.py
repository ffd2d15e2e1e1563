import logging
import signal
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from wandb.agents.pyagent import Agent

from stages.config.params import ParamsError, Tracking
from stages.training.tracking import (
    create_sweep,
    parameters_of,
    read_sweep,
    resolve_mode,
    run_agent,
    run_commanded_trial,
    tracked_run,
)
from tests.wandb_server import WandbServer


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """A machine without key, netrc file or W&B variables."""
    for name in (
        "WANDB_MODE",
        "WANDB_API_KEY",
        "WANDB_BASE_URL",
        "WANDB_PROJECT",
        "WANDB_ENTITY",
        "WANDB_DIR",
        "NETRC",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mode(name):
    return resolve_mode(Tracking(mode=name, project="heartbeats"))


def test_auto_without_a_key_is_offline(outside):
    assert mode("auto") == "offline"


def test_auto_with_a_key_is_online(outside, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert mode("auto") == "online"


def test_auto_with_a_key_in_netrc_is_online(outside):
    (outside / ".netrc").write_text("machine api.wandb.ai\n  login user\n  password " + "0" * 40 + "\n")
    (outside / ".netrc").chmod(0o600)
    assert mode("auto") == "online"


def test_auto_follows_wandb_mode(outside, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert mode("auto") == "disabled"


def test_auto_never_asks_for_a_key(outside, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    assert mode("auto") == "offline"


def test_online_without_a_key_says_what_to_do(outside):
    with pytest.raises(ParamsError, match=r"needs an API key of https://api\.wandb\.ai, found none; set WANDB_API_KEY"):
        mode("online")


@pytest.mark.parametrize("name", ["offline", "disabled"])
def test_a_named_mode_is_taken_as_it_is(outside, name):
    assert mode(name) == name


def test_disabled_tracking_writes_nothing(outside):
    with tracked_run(Tracking(mode="disabled", project="heartbeats"), "cnn", "inter", {}) as log_values:
        log_values({"loss": 1.0})
    assert not list(outside.iterdir())


def test_an_offline_run_is_on_disk(outside):
    with tracked_run(Tracking(mode="offline", project="heartbeats"), "cnn", "inter", {"a": 1}) as log_values:
        log_values({"loss": 1.0})
    assert list(outside.glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_means_offline_and_the_key_stays_secret(outside, monkeypatch, caplog, capfd):
    key = "5ecret" + "0" * 34
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("stages.training.tracking.INIT_TIMEOUT_S", 2)
    caplog.set_level(logging.INFO)
    with tracked_run(Tracking(mode="auto", project="heartbeats"), "cnn", "inter", {"a": 1}) as log_values:
        log_values({"loss": 1.0})
    assert "the run is logged offline" in caplog.text
    assert list(outside.glob("wandb/offline-run-*/*.wandb"))
    shown = capfd.readouterr()
    assert key not in caplog.text + shown.out + shown.err


@pytest.fixture
def server(outside, monkeypatch):
    """A stand-in for W&B that ends trials early, and an environment in which the real client goes there."""
    monkeypatch.setattr(Agent, "HEARTBEAT_SLEEP_SECONDS", 0.2)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "1")
    for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_DIR"):  # the client sets them; monkeypatch takes them back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with WandbServer(end_early=True) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        yield server


@pytest.mark.slow
def test_an_agent_runs_a_sweep_to_its_end_whatever_becomes_of_a_trial(server, caplog):
    sweep = create_sweep(
        Tracking(mode="auto", project="heartbeats"),
        {
            "program": "a.py",
            "command": ["python", "a.py"],
            "name": "s",
            "method": "random",
            "metric": {"name": "score", "goal": "maximize"},
            "run_cap": 4,
            "early_terminate": {"type": "hyperband", "min_iter": 2},
            "parameters": {"x": {"min": 0.0, "max": 1.0}},
        },
    )
    slopes = iter([1.0, None, 0.5, 2.0])  # the second trial fails, the third is ended early

    def trial(config, log_values):
        slope = next(slopes)
        if slope is None:
            raise FloatingPointError("the loss is nan")
        try:
            for epoch in range(1, 7):
                log_values({"score": slope * epoch})
                time.sleep(1.0)
        except Exception:
            time.sleep(2.0)  # one that is slow to stop must not cost the next one
            raise

    run_agent(sweep, trial, {"fraction": 0.5})
    state, runs = read_sweep(sweep)
    assert state == "FINISHED"
    assert [len(server.runs[run["name"]].rows) for run in runs][::3] == [6, 6]
    assert 2 <= len(server.runs[runs[2]["name"]].rows) < 6
    assert [run["summary"].get("stopped_early", False) for run in runs] == [False, False, True, False]
    assert [run["summary"].get("error") for run in runs] == [None, "FloatingPointError: the loss is nan", None, None]
    assert [run["state"] for run in runs] == ["finished", "failed", "finished", "finished"]
    assert runs[3]["summary"]["score"] == 12.0
    assert {run["config"]["fraction"] for run in runs} == {0.5}
    assert parameters_of(sweep) == {"x"}
    assert all(0 <= run["config"]["x"] <= 1 for run in runs)
    assert "0" * 40 not in caplog.text


def test_a_trial_whose_process_is_told_to_end_was_ended_early(monkeypatch):
    run = SimpleNamespace(config={"x": 1}, summary={}, log=lambda scores: None)
    monkeypatch.setattr("stages.training.tracking._begin_patiently", lambda: nullcontext(run))
    run_commanded_trial(lambda config, log_values: signal.raise_signal(signal.SIGTERM), {"fraction": 0.5})
    assert run.config == {"x": 1, "fraction": 0.5}
    assert run.summary == {"stopped_early": True}
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
