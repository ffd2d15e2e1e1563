import multiprocessing
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import optuna
import pytest
from optuna.trial import TrialState

from stages.search import local
from stages.search.local import Course, forget_finished, is_under_way, mark_finished, open_study, run_trials, trials_of
from tests.search.sample import configuration


@contextmanager
def unwatched(name, config):
    yield lambda scores: None


def climb(config, report):
    """A score that grows with x and with each of four epochs."""
    for epoch in range(1, 5):
        counts = {"epochs_run": epoch, "of_epochs": 4, "beats_drawn": 10 * epoch, "seconds": 0.1 * epoch}
        report({"score": config["x"] * epoch, **counts})


def search(folder, sweep, objective=climb, watch=unwatched, seed=1):
    storage = folder / "trials.sqlite3"
    study = open_study(storage, "search", sweep)
    run_trials(storage, study, Course(sweep, seed, most_epochs=4), objective, watch)
    return trials_of(study)


@pytest.mark.parametrize("method", ["bayes", "random"])
def test_the_same_seed_gives_the_same_trials(tmp_path, method):
    first = search(tmp_path / "a", configuration(method))
    assert [trial.config for trial in search(tmp_path / "b", configuration(method))] == [t.config for t in first]
    assert [trial.config for trial in search(tmp_path / "c", configuration(method), seed=9)] != [
        t.config for t in first
    ]
    assert [trial.state for trial in first] == ["complete"] * 6
    assert [trial.score for trial in first] == [4 * trial.config["x"] for trial in first]
    assert {trial.beats for trial in first} == {40}


def test_a_bayesian_search_finds_the_slope(tmp_path):
    trials = search(tmp_path, configuration(run_cap=25, x={"min": 0.0, "max": 1.0}))
    late, early = trials[-8:], trials[:6]
    assert sum(t.config["x"] for t in late) / len(late) > sum(t.config["x"] for t in early) / len(early)


def test_a_grid_ends_when_every_point_was_tried_once(tmp_path):
    grid = {"x": {"values": [0.1, 0.2, 0.3]}, "n": {"min": 1, "max": 2}, "fixed": {"value": "f"}}
    trials = search(tmp_path, configuration("grid", run_cap=50, **grid))
    points = {(trial.config["x"], trial.config["n"]) for trial in trials}
    assert len(trials) == len(points) == 6
    assert {trial.config["fixed"] for trial in trials} == {"f"}


def test_hyperband_ends_the_poor_ones_early(tmp_path):
    early = {"type": "hyperband", "min_iter": 1, "eta": 2}
    trials = search(tmp_path, configuration("random", 20, early, x={"min": 0.0, "max": 1.0}))
    pruned = [trial for trial in trials if trial.state == "pruned"]
    complete = [trial for trial in trials if trial.state == "complete"]
    assert pruned
    assert complete
    assert all(trial.epochs < 4 for trial in pruned)
    assert max(t.config["x"] for t in complete) > max(t.config["x"] for t in pruned)


def test_one_failing_trial_does_not_end_the_search(tmp_path):
    seen = []

    def stumble(config, report):
        seen.append(config)
        if len(seen) == 2:
            raise FloatingPointError("the loss is nan after epoch 1")
        climb(config, report)

    trials = search(tmp_path, configuration(), stumble)
    assert [trial.state for trial in trials] == ["complete", "failed", *["complete"] * 4]
    assert trials[1].error == "FloatingPointError: the loss is nan after epoch 1"
    assert trials[1].config == seen[1]


def interrupted_at(number, ran):
    """An objective that lists what it ran, and whose trial of that number is interrupted by Ctrl-C."""

    def objective(config, report):
        ran.append(config)
        if len(ran) == number:
            raise KeyboardInterrupt
        climb(config, report)

    return objective


def test_an_interrupted_search_goes_on_and_no_finished_trial_is_lost(tmp_path):
    interrupted = interrupted_at(4, [])
    uninterrupted = search(tmp_path / "uninterrupted", configuration("random"))
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, configuration("random"), interrupted)
    trials = search(tmp_path, configuration("random"), interrupted)
    assert [trial.state for trial in trials] == [*["complete"] * 3, "interrupted", *["complete"] * 3]
    assert [trial.config for trial in trials if trial.state == "complete"] == [trial.config for trial in uninterrupted]


def _hang_in_the_third(folder, began):
    ran = []

    def hang(config, report):
        ran.append(config)
        if len(ran) == 3:
            began.set()
            time.sleep(600)
        climb(config, report)

    search(folder, configuration("random"), hang)


@pytest.mark.slow
def test_a_killed_search_goes_on(tmp_path, monkeypatch):
    context = multiprocessing.get_context("fork")
    began = context.Event()
    process = context.Process(target=_hang_in_the_third, args=(tmp_path, began))
    process.start()
    assert began.wait(60)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    monkeypatch.setattr(local, "GRACE_S", 1)
    time.sleep(2)
    trials = search(tmp_path, configuration("random"))
    assert [trial.state for trial in trials] == ["complete", "complete", "interrupted", *["complete"] * 4]


def test_a_grid_that_was_interrupted_still_covers_every_point_once(tmp_path):
    grid = configuration("grid", run_cap=50, x={"values": [0.1, 0.2, 0.3]}, n={"values": [1, 2]})
    ran = []
    interrupted = interrupted_at(2, ran)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, grid, interrupted)
    trials = search(tmp_path, grid, interrupted)
    points = sorted((trial.config["x"], trial.config["n"]) for trial in trials if trial.state == "complete")
    assert points == sorted({(x, n) for x in (0.1, 0.2, 0.3) for n in (1, 2)})
    assert ran[1] == ran[2]


def _slowly(config, report):
    time.sleep(0.1)
    climb(config, report)


def _distinct(trials):
    assert [trial.state for trial in trials] == ["complete"] * 10
    return len({trial.config["x"] for trial in trials}) == 10


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "bayes", "grid"])
def test_three_workers_share_a_search_and_try_nothing_twice(tmp_path, method):
    space = {"x": {"values": [n / 10 for n in range(10)]}} if method == "grid" else {"x": {"min": 0.0, "max": 1.0}}
    sweep = configuration(method, 10, **space)
    open_study(tmp_path / "trials.sqlite3", "search", sweep)
    with ThreadPoolExecutor() as workers:
        lists = list(workers.map(lambda _: search(tmp_path, sweep, _slowly), range(3)))
    assert _distinct(lists[0])


@pytest.mark.slow
def test_two_processes_share_a_search(tmp_path):
    sweep = configuration("random", 10, x={"min": 0.0, "max": 1.0})
    # Not forked: a database that is open must not be taken along.
    other = multiprocessing.get_context("spawn").Process(target=search, args=(tmp_path, sweep, _slowly))
    other.start()
    trials = search(tmp_path, sweep, _slowly)
    other.join(60)
    assert other.exitcode == 0
    assert _distinct(trials)


def test_every_epoch_is_logged_under_the_name_and_the_hyperparameters_of_the_trial(tmp_path):
    logged = []

    @contextmanager
    def watch(name, config):
        yield lambda scores: logged.append((name, config["x"], scores["score"]))

    trials = search(tmp_path, configuration(run_cap=2), watch=watch)
    assert [name for name, _, _ in logged] == ["trial 0"] * 4 + ["trial 1"] * 4
    assert [score for _, _, score in logged][3::4] == [trial.score for trial in trials]
    assert {x for _, x, _ in logged} == {trial.config["x"] for trial in trials}


def test_a_trial_that_cannot_be_logged_has_failed(tmp_path):
    @contextmanager
    def full(name, config):
        raise OSError("disk full")
        yield

    trials = search(tmp_path, configuration(run_cap=2), watch=full)
    assert [(trial.state, trial.error) for trial in trials] == [("failed", "OSError: disk full")] * 2


def test_a_trial_whose_log_cannot_be_closed_is_kept(tmp_path, caplog):
    @contextmanager
    def cut_off(name, config):
        yield lambda scores: None
        raise OSError("network lost")

    trials = search(tmp_path, configuration(run_cap=2), watch=cut_off)
    assert [trial.state for trial in trials] == ["complete"] * 2
    assert "its log did not (OSError: network lost)" in caplog.text


def give_up(folder, trial):
    """Do what another process does with a trial that seems to be dead."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'trials.sqlite3'}")
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


@pytest.mark.parametrize("when", ["before its last score", "after it"])
def test_a_trial_that_others_gave_up_is_tried_again(tmp_path, when, caplog):
    ran = []

    def suspended(config, report):
        ran.append(config)
        if when == "after it":
            climb(config, report)
        if len(ran) == 1:
            (trial,) = open_study(tmp_path / "trials.sqlite3", "search", configuration()).get_trials()
            give_up(tmp_path, trial)
        if when != "after it":
            climb(config, report)

    trials = search(tmp_path, configuration("random", 2), suspended)
    assert [trial.state for trial in trials] == ["interrupted", "complete", "complete"]
    assert ran[0] == ran[1] != ran[2]
    assert "another gave its trial up" in caplog.text


def test_a_draw_that_kills_its_process_twice_has_failed(tmp_path):
    first = []

    def deadly(config, report):
        first.append(config["x"])
        if config["x"] == first[0]:  # as if killed: the trial has no error of its own, and nobody pressed a key
            raise SystemExit
        climb(config, report)

    for _ in range(2):
        with pytest.raises(SystemExit):
            search(tmp_path, configuration("random", 3), deadly)
        (*_, killed) = open_study(tmp_path / "trials.sqlite3", "search", configuration()).get_trials()
        if killed.state == TrialState.RUNNING:
            give_up(tmp_path, killed)
    trials = search(tmp_path, configuration("random", 3), deadly)
    assert [trial.state for trial in trials] == ["interrupted", "failed", "complete", "complete"]
    assert trials[1].error.startswith("the process was killed 2 times")


def test_a_reported_search_begins_afresh(tmp_path):
    file = tmp_path / "trials.sqlite3"
    search(tmp_path, configuration(run_cap=2))
    assert is_under_way(file, "search")
    forget_finished(file, "search")
    assert len(trials_of(open_study(file, "search", configuration()))) == 2
    mark_finished(file, "search")
    assert not is_under_way(file, "search")
    forget_finished(file, "search")
    assert trials_of(open_study(file, "search", configuration())) == []
    forget_finished(file, "no such search")
    forget_finished(tmp_path / "no such file", "search")
