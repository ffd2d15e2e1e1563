"""What the stages that score share: what was predicted, as WFDB annotation files, compared with the reference."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg import aami
from stages.ecg.annotations import Annotations, Header, read_annotations, read_header, write_annotations
from stages.files.writing import replacing
from stages.scores.bxb import compare
from stages.scores.ec57 import AFTER_LEARNING, CONVENTIONS, FROM_START, ec57_summary, ec57_table

REFERENCE = "atr"
CUT_REFERENCE = "ref"
"""Annotator of the reference as a fold is compared with it, beside what was predicted."""

ANNOTATOR_OF = {"cnn": "cnn", "rnn": "rnn", "ensemble": "ens"}
"""Annotator that each model is: the suffix of its annotation files, letters only."""

ESCAPES = ("e", "j")


@dataclass(frozen=True)
class Reference:
    """A record as it was annotated.

    Attributes
    ----------
    header : Header
    annotations : Annotations
        Beats that are to be predicted, and all that marks no beat.
    """

    header: Header
    annotations: Annotations


def read_references(raw: Path, beats: pd.DataFrame) -> dict[str, Reference]:
    """Read the reference annotations of the records of a test fold.

    Under the patient-mixed protocol they are cut down to the beats of the fold.

    Parameters
    ----------
    raw : Path
        Holds the records.
    beats : DataFrame with columns ``record`` and ``sample``

    Returns
    -------
    dict of str to Reference
    """
    references = {}
    for record, samples in beats.groupby("record", sort=True)["sample"]:
        all_of_it = read_annotations(raw, str(record), REFERENCE)
        kept = ~np.isin(all_of_it.symbols, list(aami.CLASS_OF_SYMBOL)) | np.isin(all_of_it.samples, samples)
        references[str(record)] = Reference(read_header(raw, str(record)), all_of_it.take(kept))
    return references


def write_predicted(
    folder: Path,
    annotator: str,
    beats: pd.DataFrame,
    predicted: NDArray[np.integer],
    references: Mapping[str, Reference],
) -> None:
    """Write the predicted class of each beat, at its annotated fiducial: one annotation file a record.

    The reference that the scores come from stands beside it, so that any program that compares annotation files, such
    as ``bxb``, finds the same counts.

    Parameters
    ----------
    folder : Path
        Replaced as a whole.
    annotator : str
        Suffix of the files.
    beats : DataFrame with columns ``record`` and ``sample``
    predicted : ndarray of int, shape (beats,)
        Positions in ``aami.CLASSES``; the letter of a class is the WFDB symbol of a beat of that class.
    references : mapping of str to Reference
        From :func:`read_references`.
    """
    called = pd.DataFrame({"sample": beats["sample"].to_numpy(), "symbol": np.array(aami.CLASSES)[predicted]})
    with replacing(folder) as unfinished:
        for record, of_record in called.groupby(beats["record"].to_numpy(), sort=True):
            in_time = of_record.sort_values("sample")
            beats_in_time = Annotations.of_beats(in_time["sample"], in_time["symbol"])
            write_annotations(unfinished, str(record), annotator, beats_in_time)
        for name, reference in references.items():
            write_annotations(unfinished, name, CUT_REFERENCE, reference.annotations)


def ec57_views(
    references: Mapping[str, Reference], folder: Path, annotator: str, start_s: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare annotation files with the reference: from ``start_s`` on and from the start, e and j in N and in S.

    Parameters
    ----------
    references : mapping of str to Reference
    folder : Path
        From :func:`write_predicted`.
    annotator : str
    start_s : float

    Returns
    -------
    DataFrame
        Two rows a convention and period (``after_learning`` or ``from_start``): ``convention``, ``mapping`` (it in
        words), ``period``, ``start_s`` and what :func:`stages.scores.ec57.ec57_summary` gives.
    DataFrame
        One row a convention, period and record: ``convention``, ``period``, ``start_s`` and what
        :func:`stages.scores.ec57.ec57_table` gives.
    """
    called = {record: read_annotations(folder, record, annotator) for record in references}
    views, records = [], []
    for convention, mapping in CONVENTIONS.items():
        for period, start in {AFTER_LEARNING: start_s, FROM_START: 0.0}.items():
            confusions = {
                record: compare(
                    _relabelled(reference.annotations, convention),
                    called[record],
                    reference.header.fs,
                    reference.header.length,
                    start,
                )
                for record, reference in references.items()
            }
            view = {"convention": convention, "mapping": mapping, "period": period, "start_s": start}
            views.append(_prefixed(ec57_summary(confusions), view))
            del view["mapping"]
            records.append(_prefixed(ec57_table(confusions), view))
    return pd.concat(views, ignore_index=True), pd.concat(records, ignore_index=True)


def _prefixed(table: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Put columns of one value each in front of a table."""
    return table.assign(**values)[[*values, *table.columns]]


def _relabelled(annotations: Annotations, convention: str) -> Annotations:
    if convention == "e_j_in_s":
        return annotations
    return replace(annotations, symbols=np.where(np.isin(annotations.symbols, ESCAPES), "N", annotations.symbols))
