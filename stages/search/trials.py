"""Trials of a search, and what is reported of them, whatever engine ran them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Report = Callable[[dict[str, float]], None]
State = Literal["complete", "pruned", "failed", "interrupted"]


@dataclass(frozen=True)
class Trial:
    """One configuration and how it did.

    Attributes
    ----------
    name : str
        Number of the trial, or id of its W&B run.
    state : {"complete", "pruned", "failed", "interrupted"}
        Pruned by early termination; failed by an error of its own; interrupted from outside.
    config : dict
        Its hyperparameters.
    score : float or None
        After its last epoch.
    epochs : int
    beats : int
        Drawn in all epochs and folds.
    seconds : float
    error : str
    """

    name: str
    state: State
    config: dict[str, Any]
    score: float | None = None
    epochs: int = 0
    beats: int = 0
    seconds: float = 0.0
    error: str = ""


class NoTrialError(RuntimeError):
    """No trial of a search came to its end; the message says why."""


def best_trial(trials: Sequence[Trial], goal: str) -> Trial:
    """Give the complete trial with the best score, the first of equals.

    Raises
    ------
    NoTrialError
        If there is none.
    """
    complete = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
    if not complete:
        errors = [trial.error for trial in trials if trial.error]
        raise NoTrialError(
            f"none of {len(trials)} trials was completed" + (f"; first error: {errors[0]}" if errors else "")
        )
    sign = 1 if goal == "maximize" else -1
    return max(complete, key=lambda trial: sign * (trial.score or 0))


def tabulate(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial: name, state, score, epochs run, each hyperparameter, beats, seconds, error."""
    return pd.DataFrame(
        {
            "trial": trial.name,
            "state": trial.state,
            "score": trial.score,
            "epochs_run": trial.epochs,
            **trial.config,
            "beats": trial.beats,
            "seconds": round(trial.seconds, 1),
            "error": trial.error,
        }
        for trial in trials
    )


def summarise_trials(trials: Sequence[Trial], goal: str) -> dict[str, Any]:
    """Name the best trial, count all by state, and say how long they took.

    Raises
    ------
    NoTrialError
        If no trial was completed.
    """
    best = best_trial(trials, goal)
    seconds, beats = sum(trial.seconds for trial in trials), sum(trial.beats for trial in trials)
    states = Counter(trial.state for trial in trials)
    return {
        "best_trial": best.name,
        "best_score": best.score,
        "best_config": best.config,
        **{f"trials_{state}": states.get(state, 0) for state in ("complete", "pruned", "failed", "interrupted")},
        "seconds": round(seconds, 1),
        "beats_per_s": round(beats / seconds) if seconds else None,
    }
