"""Searching the hyperparameters of one kind of network: with W&B where it can be reached, else with Optuna on disk."""

import hashlib
import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.config import paths
from stages.config.code import code_of, digest
from stages.config.params import DESIGN_PROTOCOL, Params
from stages.config.sweeps import load_sweep
from stages.files.writing import read_json, remove, write_json
from stages.search.local import Course, forget_finished, is_under_way, mark_finished, open_study, run_trials, trials_of
from stages.search.space import SweepConfiguration
from stages.search.trials import Report, State, Trial
from stages.training.tracking import SweepError, create_sweep, read_sweep, resolve_mode, run_agent, tracked_run

if TYPE_CHECKING:
    from stages.training.cross_validation import CrossValidation

TRIAL_CODE = ("stages/training/cross_validation.py", "stages/search/local.py", "stages/search/space.py")
"""What makes a trial, with all that these import: a search goes on only with code that does the same."""

POLL_S = 10.0
"""Between two looks at the trials of other machines; W&B itself gives up those that were lost."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """A search: what is searched, and where it keeps its trials.

    Attributes
    ----------
    params : Params
    model : str
    configuration : SweepConfiguration
    """

    params: Params
    model: str
    configuration: SweepConfiguration

    @property
    def storage(self) -> Path:
        """The file in which a local search keeps its trials."""
        return paths.SEARCHES / f"{self.model}.sqlite3"

    @property
    def note(self) -> Path:
        """The file that remembers the W&B sweep that is under way."""
        return paths.SEARCHES / f"{self.model}.json"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that a trial depends on, so that a search goes on only with trials of its own kind."""
        shared = self.params.sweep.model_dump_json()
        # All folds are scored, whatever the members of the ensemble.
        ensemble = self.params.train.ensemble(DESIGN_PROTOCOL).model_dump_json(exclude={"members", "refit"})
        train = self.params.train
        described = [self.model, shared, self.configuration.as_given(), train.seed, train.focal_gamma, ensemble]
        digested = hashlib.sha256(repr([*described, digest_of_code()]).encode())
        for path in sorted((paths.BALANCED / DESIGN_PROTOCOL / "train").glob("*")):
            with path.open("rb") as file:
                digested.update(hashlib.file_digest(file, "sha256").digest())
        return digested.hexdigest()

    @property
    def setting(self) -> dict[str, Any]:
        """What scores of trials must share to be compared; the configuration of each W&B run has it."""
        fractions = self.params.sweep.model_dump(include={"fraction_of_beats", "fraction_of_epochs"})
        return {**fractions, "fingerprint": self.fingerprint}

    def forget_reported(self) -> None:
        """Delete the trials of a search that was reported; one that was not stays, to go on with."""
        forget_finished(self.storage, self.fingerprint)

    def conclude(self) -> None:
        """Let the next search begin afresh."""
        mark_finished(self.storage, self.fingerprint)
        remove(self.note)


def search_of(params: Params, model: str) -> Search:
    """Give the search of a kind of network that params.yaml and its file in sweeps/ describe."""
    return Search(params, model, load_sweep(model))


def digest_of_code() -> str:
    """Digest the code that a trial is computed with; comments and docstrings leave it as it is."""
    return digest(sorted({file for module in TRIAL_CODE for file in code_of(Path(module))}))


def run_search(search: Search, objective: "CrossValidation") -> tuple[str, str | None, list[Trial]]:
    """Search with W&B where it is online and can be reached, else here.

    Returns
    -------
    str
        The engine and its version.
    str or None
        The W&B sweep.
    list of Trial
    """
    if is_under_way(search.storage, search.fingerprint):
        log.info("going on with the search that was begun on this machine")
    elif resolve_mode(search.params.tracking) == "online":
        import wandb

        try:
            sweep = remembered_sweep(search)
        except (wandb.Error, OSError) as error:
            log.warning("W&B cannot be reached (%s); searching here, `wandb sync` uploads the trials", error)
            search = offline(search)
        else:
            try:
                trials = search_online(sweep, search, objective)
            except SweepError as error:
                raise SweepError(f"{error}; to begin another sweep instead, delete {search.note}") from error
            return f"wandb {version('wandb')}", sweep, trials
    return f"optuna {version('optuna')}", None, search_locally(search, objective)


def offline(search: Search) -> Search:
    """Give the same search with its trials logged offline."""
    tracking = search.params.tracking.model_copy(update={"mode": "offline"})
    return replace(search, params=search.params.model_copy(update={"tracking": tracking}))


def search_online(sweep: str, search: Search, objective: "CrossValidation") -> list[Trial]:
    """Run trials of a W&B sweep beside other machines, and wait for the last of theirs.

    Raises
    ------
    SweepError
        If trials are missing, because the agent was stopped or the network lost.
    """
    run_agent(sweep, objective, search.setting)
    run_cap = search.configuration.run_cap
    while True:
        state, runs = read_sweep(sweep)
        running = sum(run["state"] == "running" for run in runs)
        if state in ("RUNNING", "PAUSED") and len(runs) - running < run_cap:
            raise SweepError(
                f"W&B sweep {sweep} is {state.lower()}, with {len(runs)} trials begun of {run_cap}; "
                "run the same command again to go on with it"
            )
        if not running:
            return [as_trial(run, search.configuration) for run in runs]
        log.info("waiting for %d trials on other machines", running)
        time.sleep(POLL_S)


def search_locally(search: Search, objective: "CrossValidation") -> list[Trial]:
    """Run the configuration with Optuna; other processes may do so beside this one."""
    params, configuration = search.params, search.configuration
    tracking = params.tracking.model_copy(update={"mode": resolve_mode(params.tracking)})

    def watch(name: str, config: dict[str, Any]) -> AbstractContextManager[Report]:
        return tracked_run(tracking, f"{search.model} {name}", configuration.name, {**config, **search.setting})

    study = open_study(search.storage, search.fingerprint, configuration)
    course = Course(configuration, params.sweep.seed, objective.most_epochs(configuration))
    run_trials(search.storage, study, course, objective, watch)
    return trials_of(study)


def remembered_sweep(search: Search) -> str:
    """Give the W&B sweep that an earlier, unfinished run of the stage made, or make one."""
    if search.note.is_file():
        noted = read_json(search.note)
        if noted["fingerprint"] == search.fingerprint:
            log.info("going on with W&B sweep %s", noted["sweep"])
            return noted["sweep"]
    sweep = create_sweep(search.params.tracking, search.configuration.as_given())
    write_json(search.note, {"fingerprint": search.fingerprint, "sweep": sweep})
    return sweep


def as_trial(run: dict[str, Any], configuration: SweepConfiguration) -> Trial:
    """Read a run of a W&B sweep as a trial."""
    summary = run["summary"]
    state: State = "complete" if run["state"] == "finished" else "interrupted"
    if "error" in summary:
        state = "failed"
    elif "stopped_early" in summary:
        state = "pruned"
    elif "interrupted" in summary:
        state = "interrupted"
    return Trial(
        name=run["name"],
        state=state,
        config={name: run["config"].get(name) for name in configuration.parameters},
        score=summary.get(configuration.metric.name),
        epochs=summary.get("epochs_run", 0),
        beats=summary.get("beats_drawn", 0),
        seconds=summary.get("seconds", 0.0),
        error=summary.get("error", ""),
    )
