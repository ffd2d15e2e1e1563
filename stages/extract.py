"""Cut the beats of every raw record: ``data/raw/<database>/`` in, ``data/beats/`` out."""

import logging
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config.params import Params
from stages.config.paths import BEATS, RAW
from stages.config.progress import watched
from stages.config.runner import run_stage
from stages.ecg import aami
from stages.ecg.beat_format import BeatFormat
from stages.ecg.beats import cut_beats
from stages.ecg.beatset import About, write_beats
from stages.ecg.databases import Database
from stages.ecg.recordings import RecordError, read_recording

log = logging.getLogger(__name__)


def extract(params: Params) -> None:
    """Cut the beats of all records."""
    cut_database(RAW, BEATS, params.download.resolved_database, params.extract.beat_format)


def cut_database(raw: Path, beats: Path, database: Database, fmt: BeatFormat, workers: int = -1) -> None:
    """Cut all records of a database, each in a worker process, and write them in the order of their names.

    Raises
    ------
    RecordError
        If a record cannot be used or the classes do not have as many beats as published.
    """
    about = About(database.name, database.version, database.synthetic, fmt)
    table = write_beats(beats, about, _parts(raw / database.name, database, fmt, workers))
    counts = table["aami"].value_counts()
    kind = "SYNTHETIC beats" if database.synthetic else "beats"
    log.info("%d %s of %d records: %s", len(table), kind, len(database.records), listed(counts))
    for flag in ("edge", "invalid", "flat"):
        flagged = table.loc[table[flag], "record"].value_counts()
        if len(flagged):
            log.info("flagged %s: %d beats, in records %s", flag, flagged.sum(), listed(flagged))


def listed(counts: pd.Series) -> str:
    """Read counts out: the name of each, and how many there are."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _parts(
    folder: Path, database: Database, fmt: BeatFormat, workers: int
) -> Iterator[tuple[NDArray[np.float32], pd.DataFrame]]:
    """Cut record by record; the last part is given only if all of them add up to the published counts."""
    jobs = (joblib.delayed(_cut)(folder, record, fmt) for record in database.records)
    parts = joblib.Parallel(n_jobs=workers, return_as="generator", pre_dispatch="1.5*n_jobs")(jobs)
    counts = {}
    for signals, table in watched(parts, "extract", database.records):
        record = table["record"].iloc[0]
        counts[record] = np.bincount(aami.class_indices(table["symbol"]), minlength=len(aami.CLASSES))
        if len(counts) == len(database.records):
            verify_counts(counts, database)
        yield signals, table.assign(subject=database.subject(record))


def _cut(folder: Path, record: str, fmt: BeatFormat) -> tuple[NDArray[np.float32], pd.DataFrame]:
    return cut_beats(read_recording(folder, record, fmt.leads), fmt)


def verify_counts(counts: dict[str, NDArray[np.intp]], database: Database) -> None:
    """Compare the beats of each class with the published counts of the database.

    Parameters
    ----------
    counts : dict of ndarray
        Record -> number of beats of each class, in the order of ``aami.CLASSES``.

    Raises
    ------
    RecordError
        If a set of records differs.
    """
    for name, published in database.counts.items():
        of_set = np.sum([counts[record] for record in database.records_of(name)], axis=0)
        counted = tuple(of_set.tolist())
        if counted != published:
            raise RecordError(
                f"{database.name} {database.version}, records {name}: expected {published} beats of the classes "
                f"{' '.join(aami.CLASSES)}, found {counted}; the annotations are not the published ones"
            )


if __name__ == "__main__":
    run_stage(extract, errors=(RecordError,))
