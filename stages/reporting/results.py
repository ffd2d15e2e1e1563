"""What the stages have written, as the report and the model cards tell it: scores with their intervals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.paths import METRICS
from stages.ecg import folds
from stages.ecg.databases import Database
from stages.files.writing import read_json
from stages.reporting.findings import UNTOLD, capital, percent
from stages.reporting.page import Shown, decimals
from stages.reporting.pictures import Scores
from stages.scores.comparison import DIFFERENCE

UNESTIMABLE = "not estimable"

BEAT_SCORES = {
    "accuracy": "Accuracy",
    "macro_f1_nsvf": "Macro F1 (N S V F)",
    "macro_f1": "Macro F1 (5)",
    "f1_S": "F1 S",
    "f1_V": "F1 V",
    "f1_F": "F1 F",
}
EC57_SCORES = {
    "sveb_se": "SVEB Se",
    "sveb_ppv": "SVEB +P",
    "sveb_fpr": "SVEB FPR",
    "veb_se": "VEB Se",
    "veb_ppv": "VEB +P",
    "veb_fpr": "VEB FPR",
}
SCORES = {**BEAT_SCORES, **EC57_SCORES}


class Score(NamedTuple):
    """A score with its 95 % interval and the share of the resamples that define it; NaN where it is not defined."""

    value: float
    low: float
    high: float
    defined: float

    def __str__(self) -> str:
        """Print the score and its interval.

        Resamples that all score alike, as those of a class that is never found, say nothing of other patients.
        """
        if np.isnan(self.value):
            return UNTOLD
        if self.unestimable:
            return f"{decimals(self.value)} ({UNESTIMABLE})"
        mark = "†" if self.of_a_part else ""
        return f"{decimals(self.value)} ({decimals(self.low)} to {decimals(self.high)}){mark}"

    @property
    def unestimable(self) -> bool:
        """Whether there is a score but no interval, because all resamples score alike or none defines it."""
        return not np.isnan(self.value) and bool(np.isnan(self.low) or self.low == self.high)

    @property
    def of_a_part(self) -> bool:
        """Whether there is an interval, and it is that of a part of the resamples."""
        return not np.isnan(self.value) and not self.unestimable and self.defined < 1

    @property
    def shown(self) -> Shown:
        """The score as a table has it."""
        return Shown(self.value, str(self))


Intervals = Mapping[tuple[str, str], Score]
"""Model (or the difference of two) and name of a score -> score."""


@dataclass(frozen=True)
class Results:
    """What the stages have written, as report and cards tell it.

    Attributes
    ----------
    params : Params
    labels : mapping of str to str
        Protocol -> how it is called, and whether the records are SYNTHETIC.
    scores : mapping
        Protocol -> model -> its scores, flat, as ``metrics/compare/scores.json`` has them.
    intervals : mapping
        Protocol -> model (or the difference of two) and name of a score -> the score with its interval.
    mcnemar, subgroups, ec57 : DataFrame
        As ``metrics/compare/`` has them.
    """

    params: Params
    labels: Mapping[str, str]
    scores: Scores
    intervals: Mapping[str, Intervals]
    mcnemar: pd.DataFrame
    subgroups: pd.DataFrame
    ec57: pd.DataFrame

    @property
    def database(self) -> Database:
        """The database that was trained and tested on."""
        return self.params.download.resolved_database

    @property
    def left_out(self) -> list[str]:
        """The records without which there are scores, in the order of their names."""
        scores = self.scores[PROTOCOLS[0]][MODELS[0]]
        return sorted(record for record in self.params.evaluate.without if f"accuracy_without_{record}" in scores)


def read_results(params: Params) -> Results:
    """Read what report and cards are made of."""
    folder, database = METRICS / "compare", params.download.resolved_database
    labels = {protocol: folds.label(protocol, database.synthetic) for protocol in PROTOCOLS}
    intervals = pd.read_csv(folder / "intervals.csv")
    tables = [pd.read_csv(folder / f"{name}.csv") for name in ("mcnemar", "subgroups", "ec57")]
    return Results(
        params,
        labels,
        read_json(folder / "scores.json"),
        {protocol: intervals_of(intervals[intervals["protocol"] == label]) for protocol, label in labels.items()},
        *tables,
    )


def intervals_of(intervals: pd.DataFrame) -> dict[tuple[str, str], Score]:
    """Arrange the scores of a protocol by model and name."""
    names = zip(intervals["model"], intervals["score"], strict=True)
    values = intervals[list(Score._fields)].itertuples(index=False)
    return {name: Score(*value) for name, value in zip(names, values, strict=True)}


def interval_note(names: Iterable[str], intervals: Mapping[str, Intervals]) -> str:
    """Say which of the intervals are of a part of the resamples, or of none; empty if there are none."""
    shown = {
        name: [
            score
            for of_protocol in intervals.values()
            for (model, of), score in of_protocol.items()
            if of == name and DIFFERENCE not in model
        ]
        for name in names
    }
    partial = {name: [score.defined for score in of_name if score.of_a_part] for name, of_name in shown.items()}
    partly = ", ".join(f"{SCORES[name]} {percent(min(shares), 2)}" for name, shares in partial.items() if shares)
    notes = [f"† Of the resamples in which the score is defined, at least: {partly}."] if partly else []
    if any(score.unestimable for of_name in shown.values() for score in of_name):
        notes.append(f"{capital(UNESTIMABLE)}: all resamples score alike, so they say nothing of other patients.")
    return " ".join(notes)
