"""The local engine: Optuna runs a W&B sweep configuration, with its trials on disk, for one process or several."""

import logging
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
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

log = logging.getLogger(__name__)

Objective = Callable[[dict[str, Any], Report], None]
Watch = Callable[[str, dict[str, Any]], AbstractContextManager[Report]]


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


def run_trials(
    study: optuna.Study,
    configuration: SweepConfiguration,
    objective: Objective,
    watch: Watch,
    seed: int,
    most_epochs: int,
) -> None:
    """Run trials until the study has as many as the configuration wants.

    Trials that failed by an error of their own count; those that were interrupted do not, so a search that was killed
    goes on with the next trial and ends with the same number. Each trial is drawn with a seed of its own, so a search
    by one process, never interrupted, gives the same trials again.

    Parameters
    ----------
    study : optuna.Study
        From :func:`open_study`; other processes may be at work on it.
    configuration : SweepConfiguration
    objective : callable
        Given the hyperparameters and a function that takes a mapping of scores after each epoch.
    watch : callable
        Given a name and the hyperparameters, a context manager that yields a function that logs scores.
    seed : int
    most_epochs : int
        That a trial can have; where Hyperband ends.
    """
    study.pruner = _pruner(configuration, most_epochs)
    wanted = min(configuration.run_cap, _grid_size(configuration))
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
        trials = study.get_trials(deepcopy=False)
        done = sum(_state(trial) in ("complete", "pruned", "failed") for trial in trials)
        running = sum(trial.state == TrialState.RUNNING for trial in trials)
        if done >= wanted:
            return
        if done + running >= wanted:
            time.sleep(POLL_S)
            continue
        study.sampler = _sampler(configuration, seed, done)
        study.optimize(lambda trial: _run(trial, configuration, objective, watch), n_trials=1, catch=(Exception,))
        log.info("trial %d of %d: %s", done + 1, wanted, _told(study, configuration))


def trials_of(study: optuna.Study) -> list[Trial]:
    """List the trials of a study that are over, in the order of their beginning."""
    found = []
    for trial in study.get_trials(deepcopy=False):
        if not trial.state.is_finished():
            continue
        progress = trial.user_attrs.get("progress", {})
        config, error = trial.user_attrs.get("config", {}), trial.user_attrs.get("error", "")
        found.append(Trial(name=str(trial.number), state=_state(trial), config=config, error=error, **progress))
    return found


def _run(trial: optuna.Trial, configuration: SweepConfiguration, objective: Objective, watch: Watch) -> float:
    config = {name: _suggest(trial, name, one, configuration) for name, one in configuration.parameters.items()}
    trial.set_user_attr("config", config)
    score, pruned = float("nan"), False

    with watch(f"trial {trial.number}", config) as log_scores:

        def report(scores: dict[str, float]) -> None:
            nonlocal score
            log_scores(scores)
            score = scores[configuration.metric.name]
            names = {"epochs": "epochs_run", "beats": "beats_drawn", "seconds": "seconds"}
            trial.set_user_attr("progress", {"score": score, **{ours: scores[name] for ours, name in names.items()}})
            trial.report(score, int(scores["epochs_run"]))
            if scores["epochs_run"] < scores["of_epochs"] and trial.should_prune():
                raise optuna.TrialPruned

        try:
            objective(config, report)
        except optuna.TrialPruned:
            pruned = True  # told to Optuna below: for the watch this is no failure
        except Exception as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            raise
    if pruned:
        raise optuna.TrialPruned
    return score


def _suggest(trial: optuna.Trial, name: str, parameter: Parameter, configuration: SweepConfiguration) -> Any:
    if parameter.kind == "constant":
        return parameter.value
    if configuration.method == "grid" or parameter.kind == "categorical":
        return trial.suggest_categorical(name, parameter.choices or ())
    return parameter.at(trial.suggest_float(name, 0.0, 1.0))


def _sampler(configuration: SweepConfiguration, seed: int, done: int) -> optuna.samplers.BaseSampler:
    if configuration.method == "grid":
        return optuna.samplers.GridSampler(_grid(configuration), seed=seed)
    if configuration.method == "random":
        return optuna.samplers.RandomSampler(seed=seed + done)
    return optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed + done)


def _pruner(configuration: SweepConfiguration, most_epochs: int) -> optuna.pruners.BasePruner:
    hyperband = configuration.early_terminate
    if hyperband is None:
        return optuna.pruners.NopPruner()
    first = min(hyperband.first_look, most_epochs)
    return optuna.pruners.HyperbandPruner(first, most_epochs, hyperband.eta)


def _grid(configuration: SweepConfiguration) -> dict[str, list[Any]]:
    listed = {name: list(one.choices or ()) for name, one in configuration.parameters.items()}
    return {name: choices for name, choices in listed.items() if configuration.parameters[name].kind != "constant"}


def _grid_size(configuration: SweepConfiguration) -> int:
    if configuration.method != "grid":
        return configuration.run_cap
    size = 1
    for choices in _grid(configuration).values():
        size *= len(choices)
    return size


def _state(trial: optuna.trial.FrozenTrial) -> State:
    if trial.state == TrialState.FAIL:
        return "failed" if "error" in trial.user_attrs else "interrupted"
    return "pruned" if trial.state == TrialState.PRUNED else "complete"


def _told(study: optuna.Study, configuration: SweepConfiguration) -> str:
    last = trials_of(study)[-1]
    score = "no score" if last.score is None else f"{configuration.metric.name} {last.score:.4f}"
    return (
        f"{last.state} after {last.epochs} epochs and {last.seconds:.0f} s, {score}, {last.config} {last.error}".strip()
    )
