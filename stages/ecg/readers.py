"""Recordings of any common format, read a stretch at a time: WFDB, EDF, BDF, CSV, TSV, Parquet, NumPy.

Whatever the file, :func:`open_source` gives one lead in mV at one sampling rate. What had to be guessed is said in its
remarks; what cannot be guessed is asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from stages.ecg.edf import open_edf
from stages.ecg.leads import MV, Source, check_rate, choose_lead, in_millivolts, millivolts_of, reading
from stages.ecg.recordings import RecordError
from stages.ecg.tables import open_parquet, open_text

SUFFIXES = {
    ".hea": "wfdb",
    ".dat": "wfdb",
    "": "wfdb",
    ".edf": "edf",
    ".bdf": "edf",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".parquet": "parquet",
    ".npy": "numpy",
}


@contextmanager
def open_source(
    path: Path, lead: str | None = None, fs: float | None = None, units: str | None = None
) -> Iterator[Source]:
    """Open a recording.

    Parameters
    ----------
    path : Path
        A WFDB record (with or without ``.hea``), ``.edf``, ``.bdf``, ``.csv``, ``.tsv``, ``.txt``, ``.parquet`` or
        ``.npy``, of shape (samples,) or (samples, leads).
    lead : str, optional
        Name of the lead or column, or the number of the column of an array. Else the best known one is taken.
    fs : float, optional
        Sampling rate, Hz. Needed where the file has none and no column of times.
    units : str, optional
        mV, uV, V or nV. Overrides what the file says.

    Raises
    ------
    RecordError
        If the file cannot be read, or has no such lead, no rate, or a rate out of range.
    """
    if units is not None and units.lower() not in MV:
        raise RecordError(f"units are {units}; expected one of mV, uV, V, nV")
    if fs is not None:
        check_rate(path, fs)
    kind = SUFFIXES.get(path.suffix.lower() if path.suffix.lower() in SUFFIXES else "")
    there = path.with_suffix(".hea") if path.suffix in (".hea", ".dat") else Path(f"{path}.hea")
    if not (there if kind == "wfdb" else path).is_file():
        raise RecordError(f"{there if kind == 'wfdb' else path} is missing; expected a recording in one of {_known()}")
    openers = {"wfdb": open_wfdb, "edf": open_edf, "text": open_text, "parquet": open_parquet, "numpy": open_numpy}
    with openers[kind or "wfdb"](path, lead, fs, units) as source:
        check_rate(path, source.fs)
        if source.length < 1:
            raise RecordError(f"{path}: there is no sample in it")
        yield source


def _known() -> str:
    return "WFDB, " + ", ".join(suffix for suffix in SUFFIXES if suffix not in ("", ".hea", ".dat"))


@contextmanager
def open_wfdb(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    record = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    try:
        header = wfdb.rdheader(str(record), rd_segments=True)
        leads, of_units = _signals_of(header)
    except Exception as error:  # wfdb lets whatever its parser stumbles on escape
        raise RecordError(f"{record}.hea cannot be read as a WFDB header ({error})") from error
    if not leads:
        raise RecordError(f"{record}.hea describes no signal")
    channel, remarks = choose_lead(record, leads, lead)
    factor = millivolts_of(record, units or of_units[channel] or "mV")

    def read(start: int, stop: int) -> NDArray[np.float64]:
        try:
            part = wfdb.rdrecord(str(record), sampfrom=start, sampto=stop, channels=[channel])
        except Exception as error:
            raise RecordError(
                f"{record}: the samples {start} to {stop} cannot be read ({error}); the file may be cut short"
            ) from error
        return part.p_signal[:, 0] * factor if factor != 1 else part.p_signal[:, 0]

    if fs is not None and fs != header.fs:
        remarks += (f"A sampling rate of {fs:g} Hz was given; the header says {header.fs:g} Hz.",)
    yield Source(record.name, leads[channel], leads, float(fs or header.fs), int(header.sig_len), read, remarks)


def _signals_of(header: wfdb.Record | wfdb.MultiRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the signals of a record, or of the segments of one, and their units."""
    if isinstance(header, wfdb.Record):
        return tuple(header.sig_name or ()), tuple(header.units or ())
    units = header.get_sig_units()
    names = tuple(header.get_sig_name())
    return names, tuple(units[name] for name in names) if isinstance(units, dict) else tuple(units)


@contextmanager
def open_numpy(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise RecordError(f"{path} cannot be read as an array of numbers ({error})") from error
    if array.ndim not in (1, 2) or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise RecordError(
            f"{path} holds {array.dtype} of shape {array.shape}; expected numbers, (samples,) or (samples, leads)"
        )
    if fs is None:
        raise RecordError(f"{path}: an array has no sampling rate; give --fs")
    remarks: tuple[str, ...] = ()
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
        remarks = ("The first axis is the shorter one, so it was taken for the leads.",)
    columns = array[:, None] if array.ndim == 1 else array
    leads = tuple(str(number) for number in range(columns.shape[1]))
    if lead is not None and lead not in leads:
        raise RecordError(f"{path}: there is no column {lead}; expected a number from 0 to {leads[-1]}")
    column = int(lead or 0)
    if lead is None and len(leads) > 1:
        remarks += (f"Column 0 of {len(leads)} was taken.",)
    yield in_millivolts(
        path, Source(path.stem, str(column), leads, fs, len(columns), reading(columns[:, column]), remarks), units
    )
