"""The one door to Weights & Biases: runs are logged online, offline or not at all, and never wait for a person."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from requests.utils import get_netrc_auth

from stages.params import Tracking

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
        return wandb.init(
            project=settings.project,
            name=name,
            group=group,
            config=config,
            mode=mode,
            dir=Path.cwd(),
            settings=wandb.Settings(
                init_timeout=INIT_TIMEOUT_S, finish_timeout=FINISH_TIMEOUT_S, console="off", quiet=True, silent=True
            ),
        )

    try:
        run = begin(mode)
    except (wandb.Error, OSError) as error:
        log.warning("W&B cannot be reached (%s); the run is logged offline, `wandb sync` uploads it", error)
        run = begin("offline")
    log.info("W&B run %s is %s, in %s", name, "offline" if run.offline else "online", Path(run.dir).parent)
    with run:
        yield run.log
