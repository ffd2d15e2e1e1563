"""Annotation files of WFDB: what a record was annotated with, by people or by a network."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import ArrayLike, NDArray

from stages.ecg.recordings import RecordError

AGE_AND_SEX = re.compile(r"(?P<age>-?\d+)\s+(?P<sex>[MF])\b")
"""First comment line of a header of mitdb; an age of -1 is not known."""


@dataclass(frozen=True)
class Annotations:
    """All annotations of a record by one annotator, in time order.

    Attributes
    ----------
    samples : ndarray of int64, shape (annotations,)
    symbols : ndarray of str, shape (annotations,)
        WFDB symbols of beats, rhythm changes, noise and the like.
    subtypes : ndarray of int64, shape (annotations,)
    """

    samples: NDArray[np.int64]
    symbols: NDArray[np.str_]
    subtypes: NDArray[np.int64]

    @classmethod
    def of_beats(cls, samples: ArrayLike, symbols: ArrayLike) -> "Annotations":
        """Annotate beats, which have no subtypes."""
        placed = np.asarray(samples, dtype=np.int64)
        return cls(placed, np.asarray(symbols, dtype=np.str_), np.zeros(len(placed), dtype=np.int64))

    def take(self, chosen: NDArray[np.bool_]) -> "Annotations":
        """Keep the chosen annotations."""
        return Annotations(self.samples[chosen], self.symbols[chosen], self.subtypes[chosen])


@dataclass(frozen=True)
class Header:
    """What the header of a record says of the recording and the patient.

    Attributes
    ----------
    fs : float
        Sampling rate, Hz.
    length : int
        Samples.
    age : int or None
        Years; None where it is not known.
    sex : str or None
        M or F; None where it is not known.
    """

    fs: float
    length: int
    age: int | None
    sex: str | None


def read_annotations(folder: Path, record: str, annotator: str) -> Annotations:
    """Read ``<record>.<annotator>``.

    Raises
    ------
    RecordError
        If the file is missing or no annotation file.
    """
    path = folder / f"{record}.{annotator}"
    if not path.is_file():
        raise RecordError(f"record {record}: {path} is missing; run `dvc repro` to make it")
    try:
        read = wfdb.rdann(str(folder / record), annotator)
    except Exception as error:  # wfdb lets whatever its parser stumbles on escape
        raise RecordError(f"record {record}: {path} is no valid annotation file ({error})") from error
    return Annotations(
        np.asarray(read.sample, dtype=np.int64),
        np.asarray(read.symbol, dtype=np.str_),
        np.asarray(read.subtype, dtype=np.int64),
    )


def write_annotations(folder: Path, record: str, annotator: str, annotations: Annotations) -> None:
    """Write ``<record>.<annotator>``, whole or not at all, for any program that reads WFDB annotations.

    Parameters
    ----------
    folder : Path
    record : str
    annotator : str
        Letters only.
    annotations : Annotations
        At least one.
    """
    samples, symbols, subtypes = annotations.samples, annotations.symbols, annotations.subtypes
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        wfdb.wrann(record, annotator, samples, symbols, subtype=subtypes, write_dir=unfinished)
        (Path(unfinished) / f"{record}.{annotator}").replace(folder / f"{record}.{annotator}")


def read_header(folder: Path, record: str) -> Header:
    """Read length, sampling rate, age and sex.

    Raises
    ------
    RecordError
        If the header is missing or cannot be read.
    """
    try:
        header = wfdb.rdheader(str(folder / record))
    except Exception as error:
        raise RecordError(f"record {record}: {folder / record}.hea cannot be read ({error})") from error
    comment = next(filter(None, map(AGE_AND_SEX.match, header.comments)), None)
    age = int(comment["age"]) if comment else -1
    return Header(float(header.fs), int(header.sig_len), age if age >= 0 else None, comment["sex"] if comment else None)
