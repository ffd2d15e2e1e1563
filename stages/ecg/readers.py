"""Recordings of any common format, read a stretch at a time: WFDB, EDF, BDF, CSV, TSV, Parquet, NumPy.

Whatever the file, :func:`open_source` gives one lead in mV at one sampling rate. What had to be guessed is said in its
remarks; what cannot be guessed is asked for.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import wfdb
from numpy.typing import NDArray

from stages.ecg.recordings import RecordError

RATES_HZ = (100.0, 1000.0)
"""Sampling rates between which a QRS complex is still itself and a recording is not something else."""

MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
"""Millivolts of one unit, by its name in lower case; the two letters mu are different characters."""

GUESSED_UNITS = (("V", 0.02), ("mV", 20.0), ("uV", 20_000.0))
"""Units of a file that names none, by the span of its values: an ECG spans about 0.5 to 10 mV."""

LEADS = ("MLII", "II", "ML2", "V5", "CM5", "I")
"""Leads in which a QRS complex looks most as in those that the networks learned from, the best first."""

TIME_NAMES = re.compile(r"(elapsed[ _]?)?(time|timestamp|seconds|sec|ms|t|s)([ _(\[].*)?", re.IGNORECASE)
ALL_LEADS_ARE = re.compile(r"^(ECG|EKG|LEAD|MDC_ECG_LEAD)[\s_-]*(?=\S)", re.IGNORECASE)
ROWS_AT_ONCE = 1_000_000
GUESS_FROM_S = 60.0

SUFFIXES = {
    ".hea": "wfdb",
    ".dat": "wfdb",
    "": "wfdb",
    ".edf": "edf",
    ".bdf": "bdf",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".parquet": "parquet",
    ".npy": "numpy",
}

Read = Callable[[int, int], NDArray[np.float64]]


@dataclass(frozen=True)
class Source:
    """One lead of a recording.

    Attributes
    ----------
    record : str
        Name of the recording: that of the file, without its ending.
    lead : str
    leads : tuple of str
        All that the recording has.
    fs : float
        Sampling rate, Hz.
    length : int
        Samples.
    read : callable
        Gives the samples from ``start`` to before ``stop``, float64, mV; NaN where one is missing.
    remarks : tuple of str
        What was guessed, in sentences.
    """

    record: str
    lead: str
    leads: tuple[str, ...]
    fs: float
    length: int
    read: Read
    remarks: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        return self.length / self.fs


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
    kind = SUFFIXES.get(path.suffix.lower() if path.suffix.lower() in SUFFIXES else "")
    there = path.with_suffix(".hea") if path.suffix in (".hea", ".dat") else Path(f"{path}.hea")
    if not (there if kind == "wfdb" else path).is_file():
        raise RecordError(f"{there if kind == 'wfdb' else path} is missing; expected a recording in one of {_known()}")
    openers = {"wfdb": _wfdb, "edf": _edf, "bdf": _edf, "text": _text, "parquet": _parquet, "numpy": _numpy}
    with openers[kind or "wfdb"](path, lead, fs, units) as source:
        if not RATES_HZ[0] <= source.fs <= RATES_HZ[1]:
            raise RecordError(
                f"{path}: the sampling rate is {source.fs:g} Hz; expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz"
            )
        if source.length < 1:
            raise RecordError(f"{path}: there is no sample in it")
        yield replace(source, read=_finite(source.read))


def _finite(raw: Read) -> Read:
    """Take what is no number of millivolts for missing."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        samples = raw(start, stop)
        return np.where(np.isfinite(samples), samples, np.nan)

    return read


def _known() -> str:
    return "WFDB, " + ", ".join(suffix for suffix in SUFFIXES if suffix not in ("", ".hea", ".dat"))


def choose_lead(path: Path, leads: tuple[str, ...], lead: str | None) -> tuple[int, tuple[str, ...]]:
    """Find the lead that is wanted, or the best of those that are there.

    Returns
    -------
    int
        Its position.
    tuple of str
        Remarks.

    Raises
    ------
    RecordError
        If there is none of that name.
    """
    plain = [_plain(name) for name in leads]
    if lead is not None:
        if lead in leads:
            return leads.index(lead), ()
        if _plain(lead) in plain:
            return plain.index(_plain(lead)), ()
        raise RecordError(f"{path}: there is no lead {lead}; expected one of {', '.join(leads)}")
    for number, wanted in enumerate(LEADS):
        if wanted in plain:
            at = plain.index(wanted)
            usual = () if number < 3 else (f"Lead {leads[at]} was taken; the networks learned from MLII.",)
            return at, usual
    return 0, (f"Lead {leads[0]} was taken, the first of {len(leads)}; the networks learned from MLII.",)


def _plain(name: str) -> str:
    """Strip a name of what says that it is a lead of an ECG."""
    return ALL_LEADS_ARE.sub("", name.strip("'\" ")).replace(" ", "").upper()


def _factor(path: Path, units: str) -> float:
    try:
        return MV[units.strip().strip("'\"").lower()]
    except KeyError:
        raise RecordError(f"{path}: its units are {units!r}; expected mV, uV, V or nV, so give --units") from None


@contextmanager
def _wfdb(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    record = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    try:
        header = wfdb.rdheader(str(record), rd_segments=True)
        leads, of_units = _signals_of(header)
    except Exception as error:  # wfdb lets whatever its parser stumbles on escape
        raise RecordError(f"{record}.hea cannot be read as a WFDB header ({error})") from error
    if not leads:
        raise RecordError(f"{record}.hea describes no signal")
    channel, remarks = choose_lead(record, leads, lead)
    factor = _factor(record, units or of_units[channel] or "mV")

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
def _edf(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    import edfio  # only here, for it takes a while

    try:
        file = (edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf)(path)
        signals: tuple[Any, ...] = tuple(file.signals)
        leads = tuple(signal.label for signal in signals)
    except Exception as error:
        raise RecordError(f"{path} cannot be read as {path.suffix[1:].upper()} ({error})") from error
    if not leads:
        raise RecordError(f"{path} holds no signal")
    ecg = [number for number, signal in enumerate(signals) if signal.physical_dimension.strip().lower() in MV]
    if lead is None and ecg:
        at, remarks = choose_lead(path, tuple(leads[number] for number in ecg), None)
        channel = ecg[at]
    else:
        channel, remarks = choose_lead(path, leads, lead)
    signal = signals[channel]
    factor = _factor(path, units or signal.physical_dimension or "none")
    rate = float(signal.sampling_frequency)
    length = round(file.duration * rate)

    def read(start: int, stop: int) -> NDArray[np.float64]:
        try:
            return np.asarray(signal.get_data_slice(start / rate, stop / rate), dtype=np.float64) * factor
        except Exception as error:
            raise RecordError(f"{path}: the samples {start} to {stop} cannot be read ({error})") from error

    yield Source(path.stem, leads[channel], leads, float(fs or rate), length, read, remarks)


@contextmanager
def _numpy(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
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
    yield _guess_units(
        path, Source(path.stem, str(column), leads, fs, len(columns), _mapped(columns[:, column]), remarks), units
    )


@contextmanager
def _text(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    try:
        separator = "\t" if path.suffix.lower() == ".tsv" else _separator(path)
        head = pd.read_csv(path, sep=separator, nrows=3, header=None, dtype=str, comment="#", skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read as a table ({error})") from error
    words = [all(np.isnan(pd.to_numeric(head.iloc[row], errors="coerce"))) for row in range(len(head))]
    titled = words[0]
    first = [str(name).strip("'\" ") for name in head.iloc[0]]
    names = first if titled else [str(number) for number in range(len(first))]
    of_units = dict(zip(names, head.iloc[1], strict=True)) if titled and len(words) > 1 and words[1] else {}
    chunks = pd.read_csv(
        path,
        sep=separator,
        header=None,
        names=names,
        skiprows=int(titled) + bool(of_units),
        comment="#",
        chunksize=ROWS_AT_ONCE,
        skipinitialspace=True,
    )
    with _table(path, names, of_units, chunks, lead, fs, units) as source:
        yield source


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        first = next((line for line in file if not line.startswith("#")), "")
    return max(",;\t", key=first.count)


@contextmanager
def _parquet(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    try:
        file = pq.ParquetFile(path)
    except Exception as error:
        raise RecordError(f"{path} cannot be read as Parquet ({error})") from error
    names = list(file.schema_arrow.names)
    chunks = (batch.to_pandas() for batch in file.iter_batches(ROWS_AT_ONCE))
    with _table(path, names, {}, chunks, lead, fs, units) as source:
        yield source


@contextmanager
def _table(
    path: Path,
    names: list[str],
    of_units: dict[str, str],
    chunks: Iterator[pd.DataFrame],
    lead: str | None,
    fs: float | None,
    units: str | None,
) -> Iterator[Source]:
    """Pour a column into a file of its own, so that any stretch of it can be read."""
    timed = next((name for name in names if TIME_NAMES.fullmatch(name)), None)
    leads = tuple(name for name in names if name != timed)
    if not leads:
        raise RecordError(f"{path}: its only column is {timed}; expected a column of samples beside it")
    column, remarks = choose_lead(path, leads, lead)
    name = leads[column]
    if fs is None and timed is None:
        raise RecordError(f"{path}: no column of times among {', '.join(names)}; give the sampling rate with --fs")
    with tempfile.TemporaryFile() as poured:
        rate, length = _pour(path, chunks, name, timed if fs is None else None, fs, poured)
        if fs is None:
            remarks += (f"The sampling rate, {rate:g} Hz, is that of the column {timed}.",)
        samples = np.memmap(poured, dtype="<f4", mode="r", shape=(length,)) if length else np.empty(0, "<f4")
        source = Source(path.stem, name, leads, rate, length, _mapped(samples), remarks)
        yield _guess_units(path, source, units or of_units.get(name))


def _pour(
    path: Path, chunks: Iterator[pd.DataFrame], name: str, timed: str | None, fs: float | None, file: IO[bytes]
) -> tuple[float, int]:
    """Write the samples one after the other, NaN for those that the times leave out."""
    begun, rate, length = 0.0, fs or 0.0, 0
    for chunk in chunks:
        values = pd.to_numeric(chunk[name], errors="coerce").to_numpy(dtype="<f4")
        if timed is None:
            file.write(values.tobytes())
            length += len(values)
            continue
        times = _seconds(path, chunk[timed], timed)
        if not length:
            begun, rate = times[0], _rate(path, times)
        places = np.rint((times - begun) * rate).astype(np.int64)
        if len(places) and (places[0] < length or np.any(np.diff(places) <= 0)):
            raise RecordError(f"{path}: the times of column {timed} do not increase by about {1 / rate:g} s; give --fs")
        filled = np.full(places[-1] + 1 - length, np.nan, dtype="<f4")
        filled[places - length] = values
        file.write(filled.tobytes())
        length += len(filled)
    file.flush()
    return rate, length


def _seconds(path: Path, times: pd.Series, name: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(times, errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy(dtype=float) * (1e-3 if "ms" in name.lower() else 1.0)
    text = times.astype(str).str.strip("'\"[] ")
    try:
        return np.asarray(pd.to_timedelta(text.map(_with_hours)).dt.total_seconds(), dtype=np.float64)
    except ValueError:
        pass
    try:
        return np.asarray((pd.to_datetime(text) - pd.Timestamp(0)).dt.total_seconds(), dtype=np.float64)
    except (ValueError, TypeError):
        raise RecordError(f"{path}: the column {name} holds {times.iloc[0]!r}; expected times, or give --fs") from None


def _with_hours(text: str) -> str:
    """Complete the minutes and seconds that the WFDB program rdsamp prints."""
    return f"0:{text}" if re.fullmatch(r"\d+:\d+(\.\d+)?", text) else text


def _rate(path: Path, times: NDArray[np.float64]) -> float:
    steps = np.diff(times)
    if not len(steps) or np.median(steps) <= 0:
        raise RecordError(f"{path}: its times do not increase, so the sampling rate is not known; give --fs")
    usual = np.median(steps)
    even = steps[(steps > 0.5 * usual) & (steps < 1.5 * usual)]  # gaps aside, and rounded times averaged
    rate = 1 / float(even.mean())
    return float(round(rate)) if abs(rate - round(rate)) < 0.01 * rate else rate


def _mapped(samples: NDArray) -> Read:
    return lambda start, stop: np.asarray(samples[start:stop], dtype=np.float64)


def _guess_units(path: Path, source: Source, units: str | None) -> Source:
    """Turn the values into mV, by the units that are named or by how large the values are."""
    remarks = source.remarks
    if units is None:
        values = source.read(0, min(source.length, round(GUESS_FROM_S * source.fs)))
        values = values[np.isfinite(values)]
        span = float(np.subtract(*np.percentile(values, [99.9, 0.1]))) if len(values) else 0.0
        units = next((name for name, largest in GUESSED_UNITS if 0 < span < largest), None)
        if units is None:
            raise RecordError(f"{path}: the values span {span:g} and no units are named; give --units")
        remarks += (f"The values span {span:.3g}, so they were taken for {units}.",)
    factor, raw = _factor(path, units), source.read
    return replace(source, read=lambda start, stop: raw(start, stop) * factor, remarks=remarks)
