"""Annotated records classified as predict does it and held against their annotations, for detect and external."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from stages.ecg import aami
from stages.ecg.annotations import read_annotations, read_header, write_annotations
from stages.inference.annotated_records import ESCAPES, REFERENCE, Reference, ec57_views
from stages.inference.classify import ANNOTATORS, MEMBERS, classify, marked
from stages.scores.bxb import LABEL_OF_SYMBOL
from stages.scores.per_beat import beat_scores

FIDUCIALS = {"annotated": "fiducials as annotated", "detected": "fiducials of the detector, bad signal not judged"}


def replay(
    raw: Path,
    records: Sequence[str],
    called: Path,
    start_s: float,
    annotator: str = REFERENCE,
    lead: str | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Classify records with each model, at annotated and at detected fiducials, and score.

    Parameters
    ----------
    raw : Path
        Holds the records.
    records : sequence of str
    called : Path
        For the classes, as annotation files in ``<fiducials>/<model>/``.
    start_s : float
        Where EC57 scoring starts, s; the whole records are scored as well.
    annotator : str
        Of the reference.
    lead : str, optional
        As for :func:`stages.inference.classify.classify`.

    Returns
    -------
    dict
        ``records``, their number; ``remarks``, each with the records it is on; ``models``: model -> fiducials ->
        ``judged``, the share of the beats, and ``ec57`` of :func:`stages.inference.annotated_records.ec57_views`; at
        annotated fiducials also what :func:`stages.scores.per_beat.beat_scores` gives.
    DataFrame
        The EC57 figures of each record, with ``model`` and ``fiducials``.

    Raises
    ------
    RecordError
        If a record cannot be used.
    """
    jobs = [joblib.delayed(replay_record)(raw, record, called, annotator, lead) for record in records]
    parts = joblib.Parallel(n_jobs=-1, return_as="generator")(jobs)
    done = list(tqdm(parts, total=len(jobs), desc=raw.name, unit="record", disable=None))
    beats = pd.concat([table for table, _ in done], ignore_index=True)
    references = {record: reference_of(raw, record, annotator)[0] for record in records}
    models: dict[str, Any] = {}
    tables = []
    for (model, fiducials), of_one in beats.groupby(["model", "fiducials"], sort=False):
        judged = of_one[of_one["class"] != ""]
        scores: dict[str, Any] = {"fiducials": FIDUCIALS[str(fiducials)], "judged": len(judged) / len(of_one)}
        if fiducials == "annotated":
            scores |= beat_scores(*(positions(judged[name]) for name in ("true", "class")))
        folder = called / str(fiducials) / str(model)
        scores["ec57"], table = ec57_views(references, folder, ANNOTATORS[str(model)], start_s)
        models.setdefault(str(model), {})[str(fiducials)] = scores
        tables.append(table.assign(model=model, fiducials=fiducials))
    remarks: dict[str, list[str]] = defaultdict(list)
    for record, (_, said) in zip(records, done, strict=True):
        for remark in said:
            remarks[remark].append(record)
    return {"records": len(records), "remarks": dict(remarks), "models": models}, pd.concat(tables, ignore_index=True)


def replay_record(
    raw: Path, record: str, called: Path, annotator: str, lead: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Classify a record in every way and write the classes.

    Returns
    -------
    DataFrame, one row a beat and way
        ``model``, ``fiducials``, ``class`` (empty: not judged), ``true`` (at annotated fiducials).
    list of str
        Remarks on the record.
    """
    reference, remarks = reference_of(raw, record, annotator)
    true = aami_classes(reference.annotations.symbols)
    tables = []
    for model in MEMBERS:
        for fiducials in FIDUCIALS:
            annotated = fiducials == "annotated"
            found = classify(raw / record, model, lead=lead, beats=annotator if annotated else None, gate=not annotated)
            symbols = marked(found.beats)
            folder = called / fiducials / model
            write_annotations(folder, record, ANNOTATORS[model], found.beats["sample"], symbols)
            table = found.beats[["class"]].assign(model=model, fiducials=fiducials)
            tables.append(table.assign(true=true[true != ""]) if annotated else table)
    return pd.concat(tables, ignore_index=True), [*remarks, *found.summary["remarks"]]


def reference_of(raw: Path, record: str, annotator: str) -> tuple[Reference, list[str]]:
    """Read how a record was annotated, inside the signal and one beat a sample; gives remarks on the rest too."""
    header, annotations = read_header(raw, record), read_annotations(raw, record, annotator)
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
