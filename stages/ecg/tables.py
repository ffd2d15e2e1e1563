"""Recordings in tables, CSV, TSV or Parquet: a column is a lead, and another may hold the times."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from stages.ecg.clocks import TIME_NAMES, rate_of, seconds
from stages.ecg.leads import Source, choose_lead, in_millivolts, reading
from stages.ecg.recordings import RecordError

ROWS_AT_ONCE = 1_000_000


@contextmanager
def open_text(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
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
def open_parquet(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
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
        source = Source(path.stem, name, leads, rate, length, reading(samples), remarks)
        yield in_millivolts(path, source, units or of_units.get(name))


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
        times = seconds(path, chunk[timed], timed)
        if not length:
            begun, rate = times[0], rate_of(path, times)
        places = np.rint((times - begun) * rate).astype(np.int64)
        if len(places) and (places[0] < length or np.any(np.diff(places) <= 0)):
            raise RecordError(f"{path}: the times of column {timed} do not increase by about {1 / rate:g} s; give --fs")
        filled = np.full(places[-1] + 1 - length, np.nan, dtype="<f4")
        filled[places - length] = values
        file.write(filled.tobytes())
        length += len(filled)
    file.flush()
    return rate, length
