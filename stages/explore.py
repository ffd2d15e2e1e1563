"""Say what is in the database: beats in; counts, mean beats and what to draw in ``metrics/explore/`` out.

The RR intervals of a sample of beats, for a scatter, are in ``data/drawn_from/``.
"""

import logging
from typing import Any

import numpy as np
import pandas as pd

from stages.config import paths
from stages.config.params import Params
from stages.config.runner import run_stage
from stages.ecg import aami
from stages.ecg.beatset import BeatSet, read_beats
from stages.ecg.databases import DATABASES, Database
from stages.ecg.recordings import RecordError
from stages.files.writing import replacing, write_json

SETS = ("all", "ds1", "ds2", "left_out")
"""Sets of records."""

SCATTERED = 20000
"""Beats in the RR scatter; more would only paint over each other."""

FLAGS = ("edge", "invalid", "flat")

log = logging.getLogger(__name__)


def explore(params: Params) -> None:
    """Write every table."""
    beats = read_beats(paths.BEATS)
    database = DATABASES[beats.about.database]
    rng = np.random.default_rng(params.explore.seed)
    folder = paths.METRICS / "explore"
    folder.mkdir(parents=True, exist_ok=True)
    beats_of_sets(beats.table, database).to_csv(folder / "class_counts.csv", index=False)
    describe_records(beats.table).round(6).to_csv(folder / "records.csv", index=False)
    mean_beats(beats).round(6).to_csv(folder / "mean_beats.csv", index=False)
    some = beats.table.iloc[np.sort(rng.permutation(len(beats.table))[:SCATTERED])]
    with replacing(paths.RR_INTERVALS) as unfinished:
        intervals = some[["aami", "rr_pre_s", "rr_post_s"]].rename(columns={"aami": "class"})
        intervals.to_parquet(unfinished, index=False)
    choose_strips(beats, params.explore.strip_s, rng).to_csv(folder / "strips.csv", index=False)
    summary = summary_of(beats.table, database)
    write_json(folder / "summary.json", summary)
    log.info(
        "%s: %d beats of %d records (%s)",
        *(summary["database"], summary["beats"], summary["records"]),
        ", ".join(f"{count} {name}" for name, count in summary["classes"].items()),
    )


def beats_of_sets(table: pd.DataFrame, database: Database) -> pd.DataFrame:
    """Count the beats of each class in each set of records, one count a row: ``set``, ``class``, ``beats``."""
    rows = []
    for name in SETS:
        of_set = table.loc[table["record"].isin(database.records_of(name)), "aami"].value_counts()
        rows += [{"set": name, "class": c, "beats": int(of_set.get(c, 0))} for c in aami.CLASSES]
    return pd.DataFrame(rows)


def describe_records(table: pd.DataFrame) -> pd.DataFrame:
    """Describe each record in a row: subject, lead, beats of each class, usual RR interval, flagged beats."""
    groups = table.groupby("record", sort=True)
    described = groups.agg(
        subject=("subject", "first"),
        lead=("lead", "first"),
        beats=("aami", "size"),
        rr_mean_s=("rr_mean_s", "first"),
        **{flag: (flag, "sum") for flag in FLAGS},
    )
    classes = pd.crosstab(table["record"], table["aami"]).reindex(columns=aami.CLASSES, fill_value=0)
    return described.join(classes).reset_index()


def mean_beats(beats: BeatSet) -> pd.DataFrame:
    """Average the first channel of the beats of each class.

    Returns
    -------
    DataFrame, one row a class and sample
        ``class``, ``time_s`` (from the fiducial), ``mean`` and ``sd`` (mV, or the unit of the windows); NaN for a class
        without beats.
    """
    signals, labels, fmt = beats.signals, beats.labels, beats.about.fmt
    parts = []
    for label, name in enumerate(aami.CLASSES):
        of_class = signals[labels == label, :, 0]
        there = len(of_class) > 0
        mean = of_class.mean(axis=0, dtype=np.float64) if there else np.nan
        sd = of_class.std(axis=0, dtype=np.float64) if there else np.nan
        parts.append(pd.DataFrame({"class": name, "time_s": fmt.times_s, "mean": mean, "sd": sd}))
    return pd.concat(parts, ignore_index=True)


def choose_strips(beats: BeatSet, length_s: float, rng: np.random.Generator) -> pd.DataFrame:
    """Choose a beat of each class at random, with the strip around it.

    Returns
    -------
    DataFrame, one row a class
        ``class``, ``record``, ``lead``, ``time_s`` (of the beat) and ``length_s``.

    Raises
    ------
    RecordError
        If the database has no beat of a class.
    """
    rows = []
    for name in aami.CLASSES:
        of_class = beats.table[beats.table["aami"] == name]
        if of_class.empty:
            raise RecordError(f"{beats.about.database} has no beat of class {name}, so there is no strip to draw")
        beat = of_class.iloc[rng.integers(len(of_class))]
        rows.append({"class": name, **beat[["record", "lead", "time_s"]], "length_s": length_s})
    return pd.DataFrame(rows)


def summary_of(table: pd.DataFrame, database: Database) -> dict[str, Any]:
    """Count what there is."""
    classes = table["aami"].value_counts()
    return {
        "database": f"{database.name} {database.version}" + (", SYNTHETIC data" if database.synthetic else ""),
        "records": int(table["record"].nunique()),
        "subjects": int(table["subject"].nunique()),
        "beats": len(table),
        "classes": {name: int(classes.get(name, 0)) for name in aami.CLASSES},
        "flagged": {flag: int(table[flag].sum()) for flag in FLAGS},
    }


if __name__ == "__main__":
    run_stage(explore, errors=(RecordError,))
