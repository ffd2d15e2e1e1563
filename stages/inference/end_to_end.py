"""Annotated records classified as predict does it and compared with their annotations, for detect and external."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config.progress import side_by_side
from stages.ecg import aami
from stages.ecg.annotations import read_annotations, read_header, write_annotations
from stages.inference.annotated_records import ANNOTATOR_OF, ESCAPES, REFERENCE, Reference, ec57_views
from stages.inference.classify import MEMBERS, annotations_of, classify
from stages.scores.bxb import LABEL_OF_SYMBOL
from stages.scores.ec57 import main_figures
from stages.scores.per_beat import beat_scores

FIDUCIALS = ("annotated", "detected")
"""Where beats are classified: as annotated, or where the detector finds them, bad signal left out."""


@dataclass(frozen=True)
class Records:
    """Annotated records of a database.

    Attributes
    ----------
    folder : Path
        Holds them.
    names : sequence of str
    annotator : str
        Of the reference.
    lead : str, optional
        As for :func:`stages.inference.classify.classify`.
    """

    folder: Path
    names: Sequence[str]
    annotator: str = REFERENCE
    lead: str | None = None


@dataclass(frozen=True)
class Scored:
    """Records classified by each model, at annotated and at detected fiducials.

    Attributes
    ----------
    scores : DataFrame, one row a model and kind of fiducials
        ``model``, ``fiducials``, ``classified`` (share of the beats) and, at annotated fiducials, what
        :func:`stages.scores.per_beat.beat_scores` gives of the classified beats.
    views : DataFrame
        Of :func:`stages.inference.annotated_records.ec57_views`, with ``model`` and ``fiducials``.
    records : DataFrame
        The EC57 figures of each record, with ``model`` and ``fiducials``.
    remarks : dict of str to list of str
        What was remarked -> the records it is on.
    """

    scores: pd.DataFrame
    views: pd.DataFrame
    records: pd.DataFrame
    remarks: dict[str, list[str]]

    def write(self, folder: Path) -> None:
        """Write the tables: ``scores.csv``, ``ec57.csv`` and ``records.csv``."""
        for name, table in (("scores", self.scores), ("ec57", self.views), ("records", self.records)):
            table.round(6).to_csv(folder / f"{name}.csv", index=False)

    def main_figures(self, model: str, fiducials: str) -> dict[str, float | None]:
        """Give the EC57 figures of a model to look at first, see :func:`stages.scores.ec57.main_figures`."""
        chosen = (self.views["model"] == model) & (self.views["fiducials"] == fiducials)
        return main_figures(self.views[chosen])

    def of(self, model: str, fiducials: str) -> dict[str, Any]:
        """Give the scores of a model that count all beats alike."""
        chosen = (self.scores["model"] == model) & (self.scores["fiducials"] == fiducials)
        return {str(name): value for name, value in self.scores[chosen].iloc[0].items()}


def classify_all(records: Records, called: Path, start_s: float) -> Scored:
    """Classify records with each model, at annotated and at detected fiducials, and score.

    Parameters
    ----------
    records : Records
    called : Path
        For the classes, as annotation files in ``<fiducials>/<model>/``.
    start_s : float
        Where EC57 scoring starts, s; the records are scored from their start as well.

    Returns
    -------
    Scored

    Raises
    ------
    RecordError
        If a record cannot be used.
    """
    jobs = (joblib.delayed(classify_record)(records, name, called) for name in records.names)
    results = side_by_side(jobs, records.folder.name, records.names)
    beats = pd.concat([table for table, _ in results], ignore_index=True)
    references = {name: reference_of(records, name)[0] for name in records.names}
    rows, views, by_record = [], [], []
    for (model, fiducials), of_way in beats.groupby(["model", "fiducials"], sort=False):
        way = {"model": str(model), "fiducials": str(fiducials)}
        classified = of_way[of_way["class"] != ""]
        row: dict[str, Any] = {**way, "classified": len(classified) / len(of_way)}
        if fiducials == "annotated":
            row |= beat_scores(*(positions(classified[name]) for name in ("true", "class")))
        rows.append(row)
        folder = called / str(fiducials) / str(model)
        view, table = ec57_views(references, folder, ANNOTATOR_OF[str(model)], start_s)
        views.append(view.assign(**way))
        by_record.append(table.assign(**way))
    remarks: dict[str, list[str]] = defaultdict(list)
    for name, (_, of_record) in zip(records.names, results, strict=True):
        for remark in of_record:
            remarks[remark].append(name)
    tables = [pd.concat(parts, ignore_index=True) for parts in (views, by_record)]
    return Scored(pd.DataFrame(rows), tables[0], tables[1], dict(remarks))


def classify_record(records: Records, name: str, called: Path) -> tuple[pd.DataFrame, list[str]]:
    """Classify a record in every way and write the classes.

    Returns
    -------
    DataFrame, one row a beat and way
        ``model``, ``fiducials``, ``class`` (empty: not classified), ``true`` (at annotated fiducials).
    list of str
        Remarks on the record.
    """
    reference, remarks = reference_of(records, name)
    true = aami_classes(reference.annotations.symbols)
    tables = []
    for model in MEMBERS:
        for fiducials in FIDUCIALS:
            annotated = fiducials == "annotated"
            recording = classify(
                records.folder / name,
                model=model,
                lead=records.lead,
                beats=records.annotator if annotated else None,
                gate=not annotated,
            )
            folder = called / fiducials / model
            write_annotations(folder, name, ANNOTATOR_OF[model], annotations_of(recording.beats))
            table = recording.beats[["class"]].assign(model=model, fiducials=fiducials)
            tables.append(table.assign(true=true[true != ""]) if annotated else table)
    return pd.concat(tables, ignore_index=True), [*remarks, *recording.summary["remarks"]]


def reference_of(records: Records, name: str) -> tuple[Reference, list[str]]:
    """Read how a record was annotated, inside the signal and one beat a sample; gives remarks on the rest too."""
    header = read_header(records.folder, name)
    annotations = read_annotations(records.folder, name, records.annotator)
    inside = (annotations.samples >= 0) & (annotations.samples < header.length)
    remarks = [] if inside.all() else ["Annotations outside the signal were left out."]
    annotations = annotations.take(inside)
    beats = np.flatnonzero(aami_classes(annotations.symbols) != "")
    _, first = np.unique(annotations.samples[beats], return_index=True)
    if len(first) < len(beats):
        remarks.append("Of several beats at one sample the first was kept.")
    again = np.setdiff1d(beats, beats[first])
    return Reference(header, annotations.take(~np.isin(np.arange(len(annotations.samples)), again))), remarks


def aami_classes(symbols: Iterable[str]) -> NDArray[np.str_]:
    """Map WFDB symbols, of any database, to the AAMI class with e and j in N; empty for what marks no beat."""
    classes = {**LABEL_OF_SYMBOL, **dict.fromkeys(ESCAPES, "N")}
    return np.array([classes.get(symbol, "").replace("O", "") for symbol in symbols], dtype=np.str_)


def positions(classes: Iterable[str]) -> NDArray[np.int64]:
    """Map AAMI classes to positions in ``aami.CLASSES``."""
    return np.array([aami.CLASSES.index(name) for name in classes], dtype=np.int64)
