"""The one door to Weights & Biases: runs are logged online, offline or not at all, and never wait for a person."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests.utils import get_netrc_auth

from stages.params import Tracking

if TYPE_CHECKING:
    import wandb

DEFAULT_HOST = "https://api.wandb.ai"
INIT_TIMEOUT_S = 30
FINISH_TIMEOUT_S = 60

log = logging.getLogger(__name__)

Log = Callable[[dict[str, Any]], None]


def resolve_mode(settings: Tracking) -> str:
    """Choose ``online``, ``offline`` or ``disabled``.

    ``auto`` follows the environment: ``WANDB_MODE`` where it is set, else online if there is an API key in
    ``WANDB_API_KEY`` or in the netrc file, else offline.
    """
    if settings.mode != "auto":
        return settings.mode
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    host = os.environ.get("WANDB_BASE_URL", DEFAULT_HOST)
    return "online" if os.environ.get("WANDB_API_KEY") or get_netrc_auth(host) else "offline"


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
        return _begin(project=settings.project, name=name, group=group, config=config, mode=mode)

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


def run_agent(sweep: str, trial: Callable[[dict[str, Any], Log], None], count: int | None = None) -> None:
    """Run trials of a W&B sweep until it wants no more; several machines may do so at once.

    Parameters
    ----------
    sweep : str
        From :func:`create_sweep`.
    trial : callable
        Given the hyperparameters and a function that logs scores. An error of its own ends one trial, not the agent.
    count : int, optional
        At most so many trials.
    """
    import wandb

    wandb.agent(sweep, function=lambda: run_one_trial(trial), count=count)


def run_one_trial(trial: Callable[[dict[str, Any], Log], None]) -> None:
    """Run the trial that a W&B agent asks for, and leave how it ended in the summary of its run."""
    with _begin() as run:
        try:
            trial(dict(run.config), run.log)
        except Exception as error:
            if type(error) is Exception:  # raised in this thread by the agent, when the sweep ends the trial early
                run.summary["stopped_early"] = True
                return
            run.summary["error"] = f"{type(error).__name__}: {error}"
            log.warning("trial %s failed: %s", run.id, run.summary["error"])
            run.finish(exit_code=1)


def read_sweep(sweep: str) -> list[dict[str, Any]]:
    """Read the runs of a W&B sweep, from all machines.

    Returns
    -------
    list of dict
        ``name`` and ``state`` as W&B has them, ``config`` and ``summary``, the oldest first.
    """
    import wandb

    runs = wandb.Api().sweep(sweep).runs
    return [
        {"name": run.id, "state": run.state, "config": dict(run.config), "summary": dict(run.summary)} for run in runs
    ]


def _begin(**what: Any) -> "wandb.Run":
    import wandb

    quiet = wandb.Settings(
        init_timeout=INIT_TIMEOUT_S, finish_timeout=FINISH_TIMEOUT_S, console="off", quiet=True, silent=True
    )
    return wandb.init(dir=Path.cwd(), settings=quiet, **what)
