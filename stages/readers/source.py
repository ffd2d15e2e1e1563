"""Recordings of any common format, read a stretch at a time: WFDB, EDF, BDF, CSV, TSV, Parquet, NumPy.

Whatever the file, :func:`open_source` gives one lead in mV at one sampling rate. What had to be guessed is said in its
remarks; what cannot be guessed is asked for.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from stages.ecg.recordings import RecordError
from stages.readers.edf import open_edf
from stages.readers.leads import MV, Source, check_rate, choose_lead, in_millivolts, millivolts_of, reading
from stages.readers.tables import open_parquet, open_text

KIND_OF_SUFFIX = {
    ".hea": "wfdb",
    ".dat": "wfdb",
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
        raise RecordError(f"{path}: units are {units}; expected one of mV, uV, V, nV, so give one of them with --units")
    if fs is not None:
        check_rate(path, fs)
    openers = {"wfdb": open_wfdb, "edf": open_edf, "text": open_text, "parquet": open_parquet, "numpy": open_numpy}
    with openers[_kind(path)](path, lead, fs, units) as source:
        check_rate(path, source.fs)
        if source.length < 1:
            raise RecordError(f"{path}: there is no sample in it; expected an ECG, so export it again")
        yield source


def _kind(path: Path) -> str:
    """Tell the kind of a recording that is there by its name."""
    known = "WFDB, " + ", ".join(suffix for suffix in KIND_OF_SUFFIX if suffix not in (".hea", ".dat"))
    kind = KIND_OF_SUFFIX.get(path.suffix.lower())
    header = path.with_suffix(".hea") if path.suffix in (".hea", ".dat") else Path(f"{path}.hea")
    if kind in (None, "wfdb") and header.is_file():
        return "wfdb"
    if path.is_dir():
        raise RecordError(f"{path} is a folder; expected one recording, so name a file or a record in it")
    if kind == "wfdb":
        raise RecordError(f"{header} is missing; expected the header of a WFDB record beside its samples")
    if not path.is_file():
        also = "" if kind else f", and so is {header}"
        raise RecordError(f"{path} is missing{also}; expected a recording in one of {known}")
    if kind is None:
        ending = f"the ending {path.suffix}" if path.suffix else "no ending"
        raise RecordError(f"{path} has {ending}; expected a recording in one of {known}, so convert it to one of them")
    return kind


@contextmanager
def open_wfdb(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    """Open a WFDB record; see :func:`open_source`."""
    record = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    try:
        header = wfdb.rdheader(str(record), rd_segments=True)
        leads, of_units = _signals_of(header)
    except Exception as error:  # wfdb lets whatever its parser stumbles on escape
        raise RecordError(
            f"{record}.hea cannot be read as a WFDB header ({error}); mend it, or download the record again"
        ) from error
    if not leads:
        raise RecordError(f"{record}.hea describes no signal; expected an ECG, so choose another record")
    channel, remarks = choose_lead(record, leads, lead)
    remarks += _assumed(record, channel, units)
    factor = millivolts_of(record, units or of_units[channel] or "mV")

    def samples(start: int, stop: int | None) -> NDArray[np.float64]:
        try:
            part = wfdb.rdrecord(str(record), sampfrom=start, sampto=stop, channels=[channel])
        except Exception as error:
            raise RecordError(
                f"{record}: the samples from {start} to {'the end' if stop is None else stop} cannot be read "
                f"({error}); the file may be missing or cut short, so download the record again"
            ) from error
        return part.p_signal[:, 0] * factor if factor != 1 else part.p_signal[:, 0]

    if fs is not None and fs != header.fs:
        remarks += (f"A sampling rate of {fs:g} Hz was given; the header says {header.fs:g} Hz.",)
    rate = float(fs or header.fs)
    if header.sig_len is None:  # which the format allows, but no part of such a record can be read
        signal = samples(0, None)
        yield Source(record.name, leads[channel], leads, rate, len(signal), reading(signal), remarks)
    else:
        yield Source(record.name, leads[channel], leads, rate, int(header.sig_len), samples, remarks)


def _signals_of(header: wfdb.Record | wfdb.MultiRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the signals of a record, or of the segments of one, and their units."""
    if isinstance(header, wfdb.Record):
        named = enumerate(header.sig_name or ())
        return tuple(name or str(number) for number, name in named), tuple(header.units or ())
    units = header.get_sig_units()
    names = tuple(header.get_sig_name())
    return names, tuple(units[name] for name in names) if isinstance(units, dict) else tuple(units)


def _assumed(record: Path, channel: int, units: str | None) -> tuple[str, ...]:
    """Say what the header leaves to the defaults of its format (WFDB header format, header(5))."""
    lines = Path(f"{record}.hea").read_text(encoding="utf-8", errors="replace").splitlines()
    first, *signals = [line for line in lines if line.strip() and not line.startswith("#")]
    if "/" in first.split()[0]:  # the segments have headers of their own
        return ()
    gain = (signals[channel].split()[2:3] or [""])[0]  # such as 200(1024)/mV
    remarks: tuple[str, ...] = ()
    if re.match(r"[-+]?0*\.?0*(?![.\d])", gain):
        remarks += ("The header says no gain, so 200 units a mV were assumed.",)
    if "/" not in gain and units is None:
        remarks += ("The header says no units, so they were taken for mV.",)
    return remarks


@contextmanager
def open_numpy(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    """Open an array of samples, shape (samples,) or (samples, leads); see :func:`open_source`."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise RecordError(f"{path} cannot be read as an array of numbers ({error}); save it again") from error
    if array.ndim not in (1, 2) or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise RecordError(
            f"{path} holds {array.dtype} of shape {array.shape}; expected numbers, (samples,) or (samples, leads), so "
            f"save the part that is one"
        )
    if not array.size:
        raise RecordError(f"{path} is an array of shape {array.shape}; expected samples, so save it again")
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
