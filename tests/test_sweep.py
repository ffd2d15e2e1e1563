"""The sweep stage on a tiny SYNTHETIC database, without W&B and with its real client against a stand-in on loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pandas as pd
import pytest
import yaml

from stages.config.runner import INTERRUPTED
from tests.parameter_files import copy_params, set_params
from tests.wandb_server import WandbServer

PROJECT = Path.cwd()
BIN = Path(sys.executable).parent
KEY = "5ecret" + "0" * 34
SPACE = {
    "layer_1_size": {"values": [4, 8]},
    "layer_2_size": {"value": 8},
    "layer_3_size": {"value": 8},
    "layer_FC_size": {"min": 4, "max": 8},
    "dropout_rate": {"min": 0.0, "max": 0.5},
    "learning_rate": {"distribution": "log_uniform_values", "min": 0.001, "max": 0.01},
    "weight_decay": {"value": 0.001},
    "batch_size": {"value": 256},
    "epochs": {"value": 4},
}


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    home = {"HOME": str(folder), "PYTHONPATH": str(PROJECT), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return {**kept, **home, "WANDB_ERROR_REPORTING": "false", **more}


def stage(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def wandb(folder: Path, *arguments: str, **more: str) -> None:
    done = subprocess.run(
        [BIN / "wandb", *arguments], cwd=folder, env=environment(folder, **more), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def search(folder: Path, **more: str) -> str:
    done = stage(folder, "stages.sweep", "search", "--model", "cnn", **more)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@contextmanager
def searching(folder: Path, **more: str) -> Iterator[subprocess.Popen]:
    """A search under way."""
    command = [sys.executable, "-m", "stages.sweep", "search", "--model", "cnn"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder, **more), stderr=subprocess.PIPE, text=True
    ) as it:
        try:
            yield it
        finally:
            it.kill()


def wait_for(what: Callable[[], bool], limit_s: float = 240) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < limit_s
        time.sleep(0.05)


def report(folder: Path) -> dict:
    return json.loads((folder / "metrics/sweep/cnn/search.json").read_text())


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics/sweep/cnn/trials.csv")


def write_best(folder: Path, **config) -> None:
    (folder / "metrics/sweep/cnn").mkdir(parents=True)
    (folder / "metrics/sweep/cnn/search.json").write_text(json.dumps({"best_config": config}))


@pytest.fixture(scope="module")
def balanced(tmp_path_factory) -> Path:
    """A folder in which the beats of a tiny SYNTHETIC database are ready to train on."""
    folder = tmp_path_factory.mktemp("balanced")
    copy_params(folder)
    set_params(
        folder,
        download__source="synthetic",
        download__minutes=1.5,
        sweep__fraction_of_beats=0.5,
        sweep__fraction_of_epochs=1.0,
        cnn__run_cap=4,
        cnn__method="random",
        cnn__early_terminate={"type": "hyperband", "min_iter": 1},
        cnn__parameters=SPACE,
        tracking__mode="disabled",
    )
    for name in ("download", "extract", "balance"):
        done = stage(folder, f"stages.{name}", *(["inter_patient"] if name == "balance" else []))
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def here(balanced, tmp_path) -> Path:
    """A copy of that folder."""
    shutil.copytree(balanced, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.slow
def test_a_local_search_reports_every_trial_and_is_the_same_again(here):
    output = search(here)
    assert "SYNTHETIC" in output
    summary, trials = report(here), table(here)
    assert summary["engine"].startswith("optuna ")
    assert "SYNTHETIC" in summary["title"]
    assert sum(summary[name] for name in summary if name.startswith("trials_")) == len(trials) == 4
    assert set(SPACE) <= set(trials.columns)
    best = trials[trials["state"] == "complete"]["score"].max()
    assert summary["best_score"] == pytest.approx(best)
    assert (summary["metric"], summary["goal"]) == ("val_macro_f1", "maximize")
    headline = json.loads((here / "metrics/sweep/cnn.json").read_text())
    assert headline == {"best_score": pytest.approx(best, abs=1e-6), "trials_complete": summary["trials_complete"]}
    assert summary["seconds"] > 0
    assert summary["beats_per_s"] > 0
    searched = {name for name, chosen in SPACE.items() if "value" not in chosen}
    positions, ticks, importances = (
        pd.read_csv(here / f"metrics/sweep/cnn/{name}.csv") for name in ("positions", "ticks", "importances")
    )
    assert set(positions) == {"trial", *searched}
    assert positions["trial"].tolist() == trials["trial"].tolist()
    assert positions[list(searched)].apply(lambda places: places.between(0, 1).all()).all()
    assert list(ticks) == ["hyperparameter", "position", "label"]
    assert set(ticks["hyperparameter"]) == set(importances["hyperparameter"]) == searched
    assert importances["importance"].sum() == pytest.approx(1, abs=1e-5)  # each is rounded to six digits
    assert not list(here.glob("metrics/sweep/**/*.png"))

    search(here)  # a reported search is not gone on with
    again = table(here).drop(columns="seconds")
    pd.testing.assert_frame_equal(again, trials.drop(columns="seconds"))


def test_the_best_is_promoted_and_nothing_else_changes(tmp_path):
    copy_params(tmp_path)
    before = (tmp_path / "params.yaml").read_text()
    best = {**yaml.safe_load(before)["train"]["cnn"], "layer_1_size": 24, "learning_rate": 1.23e-05}
    write_best(tmp_path, **best | {"layer_1_size": 24.0, "learning_rate": 1.2345e-05})
    done = stage(tmp_path, "stages.sweep", "promote", "--model", "cnn")
    assert done.returncode == 0, done.stderr
    after = (tmp_path / "params.yaml").read_text()
    assert yaml.safe_load(after)["train"]["cnn"] == best
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert len(changed) == 2
    for old, new in changed:
        assert f"-{old}" in done.stdout
        assert f"+{new}" in done.stdout
        assert old.partition("#")[2] == new.partition("#")[2]


def test_a_configuration_that_train_would_refuse_is_not_promoted(tmp_path):
    copy_params(tmp_path)
    before = (tmp_path / "params.yaml").read_text()
    write_best(tmp_path, **{**yaml.safe_load(before)["train"]["cnn"], "dropout_rate": 3.0})
    done = stage(tmp_path, "stages.sweep", "promote", "--model", "cnn")
    assert done.returncode == 1
    assert "train.cnn" in done.stderr
    assert "dropout_rate" in done.stderr
    assert (tmp_path / "params.yaml").read_text() == before
    assert not list(tmp_path.glob(".unfinished*"))


@pytest.mark.slow
def test_a_killed_search_goes_on_with_what_was_finished(here):
    with searching(here) as begun:
        for line in begun.stderr:
            if line.startswith("trial 2 of 4"):
                begun.send_signal(signal.SIGKILL)
                break
    assert begun.returncode == -signal.SIGKILL
    assert not (here / "metrics/sweep").exists()
    search(here)
    states = table(here)["state"]
    assert sum(states != "interrupted") == 4
    assert sum(states == "interrupted") <= 1


@pytest.mark.slow
def test_without_a_key_each_trial_is_an_offline_run_that_wandb_sync_uploads(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=2)
    search(here)
    runs = sorted((here / "wandb").glob("offline-run-*"))
    assert len(runs) == 2
    with WandbServer() as server:
        more = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
        wandb(here, "sync", *map(str, runs), **more)
        uploaded = list(server.runs.values())
    assert sorted(run.config["layer_FC_size"] for run in uploaded) == sorted(table(here)["layer_FC_size"])
    assert sorted(run.rows[-1]["val_macro_f1"] for run in uploaded) == pytest.approx(sorted(table(here)["score"]))
    assert {run.state for run in uploaded} == {"finished"}
    assert {run.group for run in uploaded} == {"cnn inter-patient"}


@pytest.mark.slow
def test_with_a_key_the_search_is_a_wandb_sweep(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=3, cnn__parameters__epochs={"value": 8})
    with WandbServer(end_early=True) as server:
        output = search(here, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY, WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL="1")
        (sweep,) = server.sweeps.values()
        runs = [run for run in server.runs.values() if run.sweep == sweep.name]
        assert server.unknown.count("Runs") == 0
    assert KEY not in output
    written = [
        here / "params.yaml",
        *here.glob("metrics/sweep/**/*"),
        *here.glob("data/searches/*"),
        *here.glob("wandb/**/*"),
    ]
    assert not [path for path in written if path.is_file() and KEY.encode() in path.read_bytes()]
    configured = yaml.safe_load((here / "sweeps/cnn.yaml").read_text())
    assert yaml.safe_load(sweep.text)["parameters"]["learning_rate"] == configured["parameters"]["learning_rate"]
    summary, trials = report(here), table(here)
    assert summary["engine"].startswith("wandb ")
    assert summary["sweep"].endswith(sweep.name)
    assert list(trials["trial"]) == [run.name for run in runs]
    assert list(trials["epochs_run"]) == [len(run.rows) for run in runs]
    assert list(trials["score"]) == pytest.approx([run.rows[-1]["val_macro_f1"] for run in runs])
    assert trials["state"].isin(["complete", "pruned"]).all()
    assert not (here / "data/searches/cnn.json").exists()


@pytest.mark.slow
def test_a_network_lost_in_the_middle_of_a_sweep_is_waited_for(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=3)
    more = {"WANDB_API_KEY": KEY, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1"}
    with WandbServer() as server, searching(here, WANDB_BASE_URL=server.url, **more) as begun:
        wait_for(lambda: len(server.runs) == 2 and bool(server.runs["run1"].rows))
        server.lost = True
        time.sleep(20)
        server.lost = False
        _, output = begun.communicate(timeout=300)
        assert begun.returncode == 0, output
        rows = [len(run.rows) for run in server.runs.values()]
    assert rows == [4, 4, 4]
    assert list(table(here)["state"]) == ["complete"] * 3


@pytest.mark.slow
def test_an_interrupted_sweep_is_not_reported_but_gone_on_with(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=3, cnn__parameters__epochs={"value": 40})
    with WandbServer() as server:
        more = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1"}
        with searching(here, **more) as begun:
            wait_for(lambda: len(server.runs) == 2 and bool(server.runs["run1"].rows))
            begun.send_signal(signal.SIGINT)
            _, output = begun.communicate(timeout=120)
        assert begun.returncode == INTERRUPTED
        assert "run the same command again" in output
        assert not (here / "metrics/sweep").exists()
        search(here, **more)
        assert len(server.sweeps) == 1
    trials = table(here)
    assert list(trials["trial"]) == ["run0", "run1", "run2"]
    assert list(trials["state"]) == ["complete", "interrupted", "complete"]


@pytest.mark.slow
def test_a_sweep_under_way_that_cannot_be_reached_says_what_to_do(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=2)
    code = (
        "from stages.config.params import load_params\n"
        "from stages.training.searches import remembered_sweep, search_of\n"
        "remembered_sweep(search_of(load_params(), 'cnn'))\n"
    )
    with WandbServer() as server:
        more = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
        made = subprocess.run([sys.executable, "-c", code], cwd=here, env=environment(here, **more), check=False)
        assert made.returncode == 0
        server.lost = True
        done = stage(here, "stages.sweep", "search", "--model", "cnn", **more)
    assert done.returncode == 1
    assert "heartbeats/sweep0 cannot be read" in done.stderr
    assert "delete data/searches/cnn.json" in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert not (here / "metrics/sweep").exists()


@pytest.mark.slow
def test_agents_of_both_kinds_join_a_sweep_made_by_the_command_of_wandb(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=2)
    with WandbServer() as server:
        more = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
        wandb(here, "sweep", "--project", "heartbeats", "sweeps/cnn.yaml", **more)
        (sweep,) = server.sweeps
        wandb(here, "agent", "--count", "1", f"heartbeats/{sweep}", **more)
        refused = stage(here, "stages.sweep", "agent", "--model", "rnn", "--sweep", sweep, **more)
        assert refused.returncode == 1
        assert f"heartbeats/{sweep} is not one of the rnn" in refused.stderr
        done = stage(here, "stages.sweep", "agent", "--model", "cnn", "--sweep", sweep, **more)
        assert done.returncode == 0, done.stderr
        runs = [run for run in server.runs.values() if run.sweep == sweep]
    assert [run.state for run in runs] == ["finished"] * 2
    assert len({run.config["fingerprint"] for run in runs}) == 1
    assert [len(run.rows) for run in runs] == [4, 4]
    assert not (here / "metrics/sweep").exists()


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_means_a_local_search(here):
    set_params(here, tracking__mode="auto", cnn__run_cap=2)
    begun = time.monotonic()
    output = search(here, WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY=KEY)
    assert "W&B cannot be reached" in output
    assert time.monotonic() - begun < 300
    assert KEY not in output
    assert report(here)["engine"].startswith("optuna ")
    assert len(list((here / "wandb").glob("offline-run-*"))) == 2


@pytest.mark.slow
def test_diverging_trials_are_told_and_when_all_do_the_stage_fails(here):
    hot = {"value": 0.1}
    set_params(here, cnn__parameters__learning_rate=hot, cnn__run_cap=2, cnn__early_terminate=None)
    code = (
        "import sys, stages.nets.parallel_folds as parallel_folds, stages.sweep as sweep\n"
        "parallel_folds._one_epoch = lambda *_: (_ for _ in ()).throw(FloatingPointError('the loss is nan'))\n"
        "sys.argv = ['sweep', 'search', '--model', 'cnn']\n"
        "sweep.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env=environment(here), capture_output=True, text=True)
    assert done.returncode == 1
    assert "none of 2 trials was completed; first error: FloatingPointError: the loss is nan" in done.stderr
    assert "Traceback" not in done.stderr.splitlines()[-1]
    assert list(table(here)["state"]) == ["failed", "failed"]
    (begun,) = optuna.get_all_study_summaries(f"sqlite:///{here / 'data/searches/cnn.sqlite3'}")
    assert begun.user_attrs["finished"], "the same command again would only report the same failures"


def test_promoting_before_a_search_says_what_to_do(tmp_path):
    copy_params(tmp_path)
    done = stage(tmp_path, "stages.sweep", "promote", "--model", "rnn")
    assert done.returncode == 1
    assert "rnn/search.json is missing; run `dvc repro sweep@rnn`" in done.stderr
