"""The local engine: Optuna runs a W&B sweep configuration, with its trials on disk, for one process or several."""

import logging
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock
from optuna.trial import TrialState

from stages.search.space import Parameter, SweepConfiguration
from stages.search.trials import Report, State, Trial

HEARTBEAT_S = 10
GRACE_S = 60
"""A trial without a heartbeat for so long belongs to a process that was killed, and is given up."""

STARTUP_TRIALS = 10
"""Random trials before the first that the earlier ones suggest, in each bracket of Hyperband."""

optuna.logging.set_verbosity(optuna.logging.ERROR)

POLL_S = 1.0
LOCK_TIMEOUT_S = 120
FINISHED = "finished"
DRAW = "draw"
BY_HAND = "by_hand"

KILLS = 2
"""After so many trials of one draw whose process was killed (out of memory, perhaps) the draw is given up."""

log = logging.getLogger(__name__)

Objective = Callable[[dict[str, Any], Report], None]
Watch = Callable[[str, dict[str, Any]], AbstractContextManager[Report]]


class SurplusTrialError(RuntimeError):
    """Other processes have begun all the trials that are wanted."""


def open_study(storage: Path, name: str, configuration: SweepConfiguration) -> optuna.Study:
    """Open a search on disk, or begin it.

    Parameters
    ----------
    storage : Path
        An SQLite file; made if need be.
    name : str
        What tells this search from another in the same file.
    configuration : SweepConfiguration

    Returns
    -------
    optuna.Study
    """
    storage.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=_on_disk(storage), study_name=name, direction=configuration.metric.goal, load_if_exists=True
    )


def mark_finished(storage: Path, name: str) -> None:
    """Note that a search has been reported, if it is in the file: the next of the same name begins afresh."""
    for study in _studies(storage, name):
        study.set_user_attr(FINISHED, True)


def forget_finished(storage: Path, name: str) -> None:
    """Delete a search that has been reported; one that has not stays, to go on with."""
    for study in _studies(storage, name):
        if study.user_attrs.get(FINISHED):
            optuna.delete_study(study_name=name, storage=_on_disk(storage))


def is_under_way(storage: Path, name: str) -> bool:
    """Tell whether a search has trials that have not been reported."""
    return any(not study.user_attrs.get(FINISHED) and _begun(study) for study in _studies(storage, name))


def _studies(storage: Path, name: str) -> list[optuna.Study]:
    if not storage.is_file() or name not in optuna.get_all_study_names(_on_disk(storage)):
        return []
    return [optuna.load_study(study_name=name, storage=_on_disk(storage))]


def _on_disk(storage: Path) -> optuna.storages.RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            f"sqlite:///{storage}",
            engine_kwargs={"connect_args": {"timeout": LOCK_TIMEOUT_S}},
            heartbeat_interval=HEARTBEAT_S,
            grace_period=GRACE_S,
        )


@dataclass(frozen=True)
class Course:
    """What decides the trials of a search.

    Attributes
    ----------
    configuration : SweepConfiguration
    seed : int
    most_epochs : int
        That a trial can have; where Hyperband ends.
    """

    configuration: SweepConfiguration
    seed: int
    most_epochs: int


def run_trials(storage: Path, study: optuna.Study, course: Course, objective: Objective, watch: Watch) -> None:
    """Run trials until the study has as many as the configuration wants.

    Trials that failed by an error of their own count; those that were interrupted do not, so a search that was killed
    goes on and ends with the same number. Each trial claims a draw, a number that its seed or its point of the grid
    follows from, and one that is interrupted gives it back. So a search by one process, never interrupted, gives the
    same trials again, and no two of several processes try the same.

    Parameters
    ----------
    storage : Path
        The file of the study; claims are made under a lock beside it.
    study : optuna.Study
        From :func:`open_study`; other processes may be at work on it.
    course : Course
    objective : callable
        Given the hyperparameters and a function that takes a mapping of scores after each epoch.
    watch : callable
        Given a name and the hyperparameters, a context manager that yields a function that logs scores.
    """
    configuration, seed = course.configuration, course.seed
    study.pruner = _pruner(configuration, course.most_epochs)
    wanted = min(configuration.run_cap, _grid_size(configuration))
    lock = FileLock(f"{storage}.lock")

    def run(trial: optuna.Trial) -> float:
        with lock:
            draw = _claim(trial, wanted)
        study.sampler = _sampler(configuration, seed, draw)
        config = _point(configuration, seed, draw) if configuration.method == "grid" else _suggest(trial, configuration)
        return _run(trial, config, configuration.metric.name, objective, watch)

    def log_trial(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if DRAW in trial.user_attrs:
            log.info("trial %d of %d: %s", len(_draws(study)[0]), wanted, _line(trial, configuration))

    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
        ended, under_way = _draws(study)
        if len(ended) >= wanted:
            return
        if len(ended | under_way) >= wanted:
            time.sleep(POLL_S)
            continue
        try:
            study.optimize(run, n_trials=1, catch=(Exception,), callbacks=[log_trial])
        except (ValueError, AssertionError) as error:
            # Errors of the trial are caught above. These Optuna raises when the trial has been given up meanwhile.
            log.warning("this process was silent for over %d s, and another gave its trial up (%s)", GRACE_S, error)


def trials_of(study: optuna.Study) -> list[Trial]:
    """List the trials of a study that are over, in the order of their beginning.

    The trial with which a draw was given up has failed.
    """
    trials, killed = [], Counter[int]()
    for stored in _begun(study):
        if not stored.state.is_finished():
            continue
        trial, draw = _as_trial(stored), stored.user_attrs[DRAW]
        if trial.state == "interrupted" and BY_HAND not in stored.user_attrs:
            killed[draw] += 1
            if killed[draw] == KILLS:
                error = f"the process was killed {KILLS} times, out of memory perhaps"
                trial = replace(trial, state="failed", error=error)
        trials.append(trial)
    return trials


def _begun(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if DRAW in trial.user_attrs]


def _as_trial(trial: optuna.trial.FrozenTrial) -> Trial:
    progress = trial.user_attrs.get("progress", {})
    config, error = trial.user_attrs.get("config", {}), trial.user_attrs.get("error", "")
    return Trial(name=str(trial.number), state=_state(trial), config=config, error=error, **progress)


def _draws(study: optuna.Study) -> tuple[set[int], set[int]]:
    """Give the draws whose trials came to an end or were given up, and those that processes are at work on."""
    under_way, ended, killed = set(), set(), Counter[int]()
    for trial in _begun(study):
        draw = trial.user_attrs[DRAW]
        if trial.state == TrialState.RUNNING:
            under_way.add(draw)
        elif _state(trial) != "interrupted":
            ended.add(draw)
        elif BY_HAND not in trial.user_attrs:
            killed[draw] += 1
    return ended | {draw for draw, times in killed.items() if times >= KILLS}, under_way


def _claim(trial: optuna.Trial, wanted: int) -> int:
    """Claim the first draw that is free."""
    ended, under_way = _draws(trial.study)
    free = sorted(set(range(wanted)) - ended - under_way)
    if not free:
        raise SurplusTrialError
    trial.set_user_attr(DRAW, free[0])
    return free[0]


def _run(trial: optuna.Trial, config: dict[str, Any], metric: str, objective: Objective, watch: Watch) -> float:
    trial.set_user_attr("config", config)
    outcome = None
    try:
        with watch(f"trial {trial.number}", config) as log_scores:
            outcome = _outcome(trial, config, metric, objective, log_scores)
    except KeyboardInterrupt:
        trial.set_user_attr(BY_HAND, True)
        raise
    except Exception as error:
        if outcome is None:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            raise
        log.warning("trial %d came to its end, but its log did not (%s: %s)", trial.number, type(error).__name__, error)
    score, pruned = outcome
    if pruned:
        raise optuna.TrialPruned
    return score


def _outcome(
    trial: optuna.Trial, config: dict[str, Any], metric: str, objective: Objective, log_scores: Report
) -> tuple[float, bool]:
    """Give the last score, and whether the trial was ended early: that is no failure of what watches it."""
    score = float("nan")

    def report(scores: dict[str, float]) -> None:
        nonlocal score
        log_scores(scores)
        score = scores[metric]
        names = {"epochs": "epochs_run", "beats": "beats_drawn", "seconds": "seconds"}
        trial.set_user_attr("progress", {"score": score, **{ours: scores[name] for ours, name in names.items()}})
        trial.report(score, int(scores["epochs_run"]))
        if scores["epochs_run"] < scores["of_epochs"] and trial.should_prune():
            raise optuna.TrialPruned

    try:
        objective(config, report)
    except optuna.TrialPruned:
        return score, True
    return score, False


def _suggest(trial: optuna.Trial, configuration: SweepConfiguration) -> dict[str, Any]:
    return {name: _suggest_one(trial, name, parameter) for name, parameter in configuration.parameters.items()}


def _suggest_one(trial: optuna.Trial, name: str, parameter: Parameter) -> Any:
    if parameter.kind == "constant":
        return parameter.value
    if parameter.kind == "categorical":
        return trial.suggest_categorical(name, parameter.choices or ())
    return parameter.at(trial.suggest_float(name, 0.0, 1.0))


def _sampler(configuration: SweepConfiguration, seed: int, draw: int) -> optuna.samplers.BaseSampler:
    if configuration.method == "bayes":
        return optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed + draw)
    return optuna.samplers.RandomSampler(seed=seed + draw)


def _pruner(configuration: SweepConfiguration, most_epochs: int) -> optuna.pruners.BasePruner:
    hyperband = configuration.early_terminate
    if hyperband is None:
        return optuna.pruners.NopPruner()
    first = min(hyperband.first_look, most_epochs)
    return optuna.pruners.HyperbandPruner(first, most_epochs, hyperband.eta)


def _grid(configuration: SweepConfiguration) -> dict[str, tuple[Any, ...]]:
    return {name: parameter.choices or () for name, parameter in configuration.parameters.items()}


def _grid_size(configuration: SweepConfiguration) -> int:
    if configuration.method != "grid":
        return configuration.run_cap
    return math.prod(len(choices) for choices in _grid(configuration).values())


def _point(configuration: SweepConfiguration, seed: int, draw: int) -> dict[str, Any]:
    """Give a point of the grid; the draws go through its points in an order that the seed decides."""
    grid, size = _grid(configuration), _grid_size(configuration)
    order = np.random.default_rng(seed).choice(size, min(size, configuration.run_cap), replace=False)
    places = np.unravel_index(order[draw], [len(choices) for choices in grid.values()])
    return {name: choices[place] for (name, choices), place in zip(grid.items(), places, strict=True)}


def _state(trial: optuna.trial.FrozenTrial) -> State:
    if trial.state == TrialState.FAIL:
        return "failed" if "error" in trial.user_attrs else "interrupted"
    return "pruned" if trial.state == TrialState.PRUNED else "complete"


def _line(trial: optuna.trial.FrozenTrial, configuration: SweepConfiguration) -> str:
    ended = _as_trial(trial)
    score = "no score" if ended.score is None else f"{configuration.metric.name} {ended.score:.4f}"
    cost = f"{ended.epochs} epochs and {ended.seconds:.0f} s"
    values = ((name, f"{value:.3g}" if isinstance(value, float) else value) for name, value in ended.config.items())
    chosen = ", ".join(f"{name} {value}" for name, value in values)
    return f"{ended.state} after {cost}, {score}; {chosen} {ended.error}".strip()
