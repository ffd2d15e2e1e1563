"""The one door to Weights & Biases: runs are logged online, offline or not at all, and never wait for a person."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests.utils import get_netrc_auth

from stages.config.params import ParamsError, Tracking

if TYPE_CHECKING:
    import wandb

DEFAULT_HOST = "https://api.wandb.ai"
INIT_TIMEOUT_S = 30
FINISH_TIMEOUT_S = 60
TRIAL_FINISH_TIMEOUT_S = 900
"""The other trials of a sweep are chosen by what this one uploads, so it waits longer for a lost network."""

UNFINISHED = ("RUNNING", "PAUSED")
"""States of a W&B sweep that has trials to hand out yet."""

SETTLE_S = 2
"""The service of W&B that is told at once that a request is given up and that the program ends may hear only the
first, and the program then waits for its end, for ever."""

PATIENCE_S = 3600
RETRY_S = 10

log = logging.getLogger(__name__)

Log = Callable[[dict[str, Any]], None]


def resolve_mode(settings: Tracking) -> str:
    """Choose ``online``, ``offline`` or ``disabled``.

    ``auto`` follows the environment: ``WANDB_MODE`` where it is set, else online; without an API key in
    ``WANDB_API_KEY`` or in the netrc file offline, because the client would ask for one.

    Raises
    ------
    ParamsError
        If ``online`` is wanted by name and there is no key.
    """
    host = os.environ.get("WANDB_BASE_URL", DEFAULT_HOST)
    has_key = bool(os.environ.get("WANDB_API_KEY") or get_netrc_auth(host))
    if settings.mode == "online" and not has_key:
        raise ParamsError(
            f"tracking.mode: online needs an API key of {host}, found none; set WANDB_API_KEY, run `wandb login`, or "
            "set tracking.mode to auto or offline"
        )
    if settings.mode != "auto":
        return settings.mode
    wanted = os.environ.get("WANDB_MODE") or "online"
    wanted = {"run": "online", "dryrun": "offline"}.get(wanted, wanted)
    return "offline" if wanted == "online" and not has_key else wanted


class _StoppedEarlyError(Exception):
    """The process that runs a trial was asked to end."""


class SweepError(RuntimeError):
    """A W&B sweep cannot go on; the message says what became of it and what to do."""


@contextmanager
def tracked_run(settings: Tracking, name: str, group: str, config: dict[str, Any]) -> Iterator[Log]:
    """Log a run.

    An online run that cannot begin (no network, a bad key) goes on offline; `wandb sync` uploads it later. With
    tracking off, wandb is not even imported.

    Parameters
    ----------
    settings : Tracking
    name, group : str
    config : dict
        Hyperparameters and what else describes the run; never a secret.

    Yields
    ------
    callable
        Logs a dict of values as the next step.
    """
    mode = resolve_mode(settings)
    if mode == "disabled":
        yield lambda values: None
        return
    import wandb

    def begin(mode: Any) -> "wandb.Run":
        return _begin(FINISH_TIMEOUT_S, project=settings.project, name=name, group=group, config=config, mode=mode)

    try:
        run = begin(mode)
    except (wandb.Error, OSError) as error:
        log.warning("W&B cannot be reached (%s); the run is logged offline, `wandb sync` uploads it", error)
        run = begin("offline")
    log.info("W&B run %s is %s, in %s", name, "offline" if run.offline else "online", Path(run.dir).parent)
    with run:
        yield run.log


def create_sweep(settings: Tracking, configuration: dict[str, Any]) -> str:
    """Make a W&B sweep.

    Returns
    -------
    str
        ``<project>/<sweep id>``.

    Raises
    ------
    wandb.Error, OSError
        If W&B cannot be reached or refuses.
    """
    import wandb

    return f"{settings.project}/{wandb.sweep(configuration, project=settings.project)}"


def run_agent(sweep: str, trial: Callable[[dict[str, Any], Log], None], about: dict[str, Any]) -> None:
    """Run trials of a W&B sweep until it wants no more; several machines may do so at once.

    A network that is lost after the first contact is waited for. Each trial has a W&B agent of its own, because one
    whose trial began without network never asks for another.

    Parameters
    ----------
    sweep : str
        From :func:`create_sweep`.
    trial : callable
        Given the hyperparameters and a function that logs scores. An error of its own ends one trial, not the agent.
    about : dict
        What else the configuration of each run tells.

    Raises
    ------
    SweepError
        If W&B cannot be reached or knows no such sweep.
    KeyboardInterrupt
        After Ctrl-C, which the client of W&B keeps to itself.
    """
    import wandb

    begun, interrupted = False, threading.Event()

    def run_trial() -> None:
        nonlocal begun
        begun = True
        run_one_trial(trial, about, interrupted)

    def interrupt(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    with _explained(sweep), _on_signal(signal.SIGINT, interrupt):
        given_up = time.monotonic()
        while True:
            begun = False
            try:
                if wandb.Api().sweep(sweep).state not in UNFINISHED:
                    return
                _run_agent_of_one_trial(sweep, run_trial)
            except (wandb.Error, OSError) as error:
                if time.monotonic() > given_up:
                    raise
                log.warning("W&B cannot be reached (%s); trying again", error)
            else:
                given_up = time.monotonic() + PATIENCE_S
            if interrupted.is_set():
                raise KeyboardInterrupt
            if not begun:
                time.sleep(RETRY_S)


def run_one_trial(
    trial: Callable[[dict[str, Any], Log], None], about: dict[str, Any], interrupted: threading.Event | None = None
) -> None:
    """Run the trial that a W&B agent asks for, and leave how it ended in the summary of its run."""
    with _begin_patiently() as run:
        try:
            chosen = {name: value for name, value in dict(run.config).items() if name not in about}
            run.config.update(about)
            trial(chosen, run.log)
        except Exception as error:
            # The agent within this process raises a bare Exception in this thread when the sweep ends the trial early.
            if type(error) in (Exception, _StoppedEarlyError):
                by_hand = interrupted is not None and interrupted.is_set()
                run.summary["interrupted" if by_hand else "stopped_early"] = True
                return
            run.summary["error"] = f"{type(error).__name__}: {error}"
            log.warning("trial %s failed: %s", run.id, run.summary["error"])
            run.finish(exit_code=1)


def run_commanded_trial(trial: Callable[[dict[str, Any], Log], None], about: dict[str, Any]) -> None:
    """Run the one trial of a process that `wandb agent` began; it ends a trial early by SIGTERM."""

    def stop(*_: object) -> None:
        raise _StoppedEarlyError

    def stoppable(config: dict[str, Any], log_scores: Log) -> None:
        with _on_signal(signal.SIGTERM, stop):
            trial(config, log_scores)

    run_one_trial(stoppable, about)


def parameters_of(sweep: str) -> set[str]:
    """Name the hyperparameters that a W&B sweep chooses.

    Raises
    ------
    SweepError
        If W&B cannot be reached or knows no such sweep.
    """
    import wandb

    with _explained(sweep):
        return set(wandb.Api().sweep(sweep).config["parameters"])


def read_sweep(sweep: str) -> tuple[str, list[dict[str, Any]]]:
    """Read the runs of a W&B sweep, from all machines.

    Returns
    -------
    str
        State of the sweep: RUNNING, PAUSED, CANCELED or FINISHED.
    list of dict
        ``name`` and ``state`` as W&B has them, ``config`` and ``summary``, the oldest first.

    Raises
    ------
    SweepError
        If W&B cannot be reached or knows no such sweep.
    """
    import wandb

    with _explained(sweep):
        stored = wandb.Api().sweep(sweep)
        runs = [
            {"name": run.id, "state": run.state, "config": dict(run.config), "summary": dict(run.summary)}
            for run in stored.runs
        ]
        return stored.state, runs


def _run_agent_of_one_trial(sweep: str, run_trial: Callable[[], None]) -> None:
    from wandb.agents.pyagent import Agent

    class AgentOfOneTrial(Agent):
        """Tells W&B that a trial runs until its thread has ended.

        The agent of the client tells nothing of a trial that it was asked to stop. W&B then hands out the next one,
        which this agent would not run, while that trial is still on its way out.
        """

        def _heartbeat_commands(self, run_status: dict[str, bool]) -> list[dict[str, Any]]:
            return super()._heartbeat_commands(dict.fromkeys(self._run_threads, True) or run_status)

    AgentOfOneTrial(sweep, function=run_trial, count=1).run()


@contextmanager
def _on_signal(number: signal.Signals, handler: Callable[..., None]) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def _explained(sweep: str) -> Iterator[None]:
    import wandb

    try:
        yield
    except (wandb.Error, OSError, ValueError) as error:
        time.sleep(SETTLE_S)
        raise SweepError(
            f"W&B sweep {sweep} cannot be read ({error}); the trials that ended are kept. With the network back, run "
            "the same command again to go on with them; `wandb sync wandb/run-*` uploads what was cut off"
        ) from error


def _begin_patiently() -> "wandb.Run":
    """Begin the run of a trial; without network wait for it, since the sweep has counted the trial already."""
    import wandb

    given_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _begin(TRIAL_FINISH_TIMEOUT_S)
        except (wandb.Error, OSError) as error:
            if time.monotonic() > given_up:
                raise
            log.warning("W&B cannot be reached (%s); trying again in %d s", error, RETRY_S)
            time.sleep(RETRY_S)


def _begin(finish_timeout_s: float, **what: Any) -> "wandb.Run":
    import wandb

    quiet = wandb.Settings(
        init_timeout=INIT_TIMEOUT_S, finish_timeout=finish_timeout_s, console="off", quiet=True, silent=True
    )
    return wandb.init(dir=Path.cwd(), settings=quiet, **what)
