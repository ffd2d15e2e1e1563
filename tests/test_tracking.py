import logging

import pytest

from stages.params import Tracking
from stages.tracking import resolve_mode, tracked_run


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """A machine without key, netrc file or W&B variables."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC"):
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


@pytest.mark.parametrize("name", ["online", "offline", "disabled"])
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


def test_a_server_that_cannot_be_reached_means_offline_and_the_key_stays_secret(outside, monkeypatch, caplog, capfd):
    key = "5ecret" + "0" * 34
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("stages.tracking.INIT_TIMEOUT_S", 2)
    caplog.set_level(logging.INFO)
    with tracked_run(Tracking(mode="auto", project="heartbeats"), "cnn", "inter", {"a": 1}) as log_values:
        log_values({"loss": 1.0})
    assert "the run is logged offline" in caplog.text
    assert list(outside.glob("wandb/offline-run-*/*.wandb"))
    shown = capfd.readouterr()
    assert key not in caplog.text + shown.out + shown.err
