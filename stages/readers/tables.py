"""Recordings in tables, CSV, TSV or Parquet: a column is a lead, and another may hold the times."""

import csv
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.ecg.recordings import RecordError
from stages.readers.clocks import TIME_NAMES, TimeColumn
from stages.readers.leads import Source, choose_lead, in_millivolts, reading
from stages.readers.pieces import Piece, joined, pieces_of

ROWS_AT_ONCE = 1_000_000

HEAD_LINES = 5
"""Lines from which the format of a text is told: titles, units and some numbers."""

RAMP_ROWS = (100, 5000)
"""Fewest rows that tell a count or a time from a signal, and as many as are looked at: no ECG rises for so long."""


@dataclass(frozen=True)
class Form:
    """How a text holds a table.

    Attributes
    ----------
    separator : str
        A regular expression where it is of several characters.
    decimal : str
    names, units : list of str
        Of the columns; no units where no line of the file says them.
    skipped : int
        Lines before the first row of numbers.
    """

    separator: str
    decimal: str
    names: list[str]
    units: list[str]
    skipped: int


@dataclass(frozen=True)
class TableFile:
    """A file that holds a table.

    Attributes
    ----------
    path : Path
    names : list of str
        Of the columns.
    units : dict of str to str
        Name of a column -> its units, where the file says them.
    """

    path: Path
    names: list[str]
    units: dict[str, str]


@contextmanager
def open_text(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    """Open a table of text; see :func:`stages.readers.source.open_source`."""
    form = _form(path)
    text = pd.read_csv(
        path,
        sep=form.separator,
        decimal=form.decimal,
        header=None,
        names=form.names,
        index_col=False,
        skiprows=form.skipped,
        comment="#",
        chunksize=ROWS_AT_ONCE,
        skipinitialspace=True,
    )
    table = TableFile(path, form.names, dict(zip(form.names, form.units, strict=False)))
    with text as frames, _open_table(table, frames, lead, fs, units) as source:
        yield source


def _form(path: Path) -> Form:
    lines = _head(path)
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator([line for _, line in lines])
    rows = [_cells(line, separator) for _, line in lines]
    decimal = "," if separator != "," and any(re.search(r"\d,\d", line) for _, line in lines) else "."
    words = [not any(_is_number(cell, decimal) for cell in row) for row in rows]
    titled = words[0]
    united = titled and len(words) > 1 and words[1] and (len(words) < 3 or not words[2])
    names = [name or str(number) for number, name in enumerate(rows[0])] if titled else map(str, range(len(rows[0])))
    begin = titled + united
    skipped = lines[begin][0] if begin < len(lines) else lines[-1][0] + 1
    return Form(separator, decimal, _distinct(names), rows[1] if united else [], skipped)


def _head(path: Path) -> list[tuple[int, str]]:
    """Read the first lines that say something, and where they are."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            saying = ((at, line.rstrip("\r\n")) for at, line in enumerate(file) if line.split("#")[0].strip())
            lines = [line for line, _ in zip(saying, range(HEAD_LINES), strict=False)]
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} cannot be read as a table ({error}); save it as UTF-8") from error
    if not lines:
        raise RecordError(f"{path} cannot be read as a table: it is empty; expected samples, so export it again")
    return lines


def _separator(lines: list[str]) -> str:
    """Find what parts the cells of every line; a comma comes last, for it may be that of a decimal fraction."""
    for separator in "\t;,":
        if all(separator in line for line in lines):
            return separator
    return r"\s+" if all(len(line.split()) > 1 for line in lines) else ","


def _cells(line: str, separator: str) -> list[str]:
    plain = separator == r"\s+"
    cells = line.split() if plain else next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return [cell.strip("'\" ") for cell in cells]


def _is_number(cell: str, decimal: str) -> bool:
    return bool(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", cell.replace(decimal, "."), re.IGNORECASE))


def _distinct(names: Iterator[str] | list[str]) -> list[str]:
    """Append numbers to names that occur again."""
    distinct: list[str] = []
    for name in names:
        again = 2
        free = name
        while free in distinct:
            free, again = f"{name} ({again})", again + 1
        distinct.append(free)
    return distinct


@contextmanager
def open_parquet(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    """Open a Parquet file; see :func:`stages.readers.source.open_source`."""
    try:
        file = pq.ParquetFile(path)
    except Exception as error:
        raise RecordError(f"{path} cannot be read as Parquet ({error}); export it again") from error
    with file:
        names = _distinct(list(file.schema_arrow.names))
        batches = file.iter_batches(ROWS_AT_ONCE)
        # What pandas knew as its index is a column as any other, so that times are found there too.
        frames = (batch.rename_columns(names).to_pandas(ignore_metadata=True) for batch in batches)
        with _open_table(TableFile(path, names, {}), frames, lead, fs, units) as source:
            yield source


@contextmanager
def _open_table(
    table: TableFile, frames: Iterator[pd.DataFrame], lead: str | None, fs: float | None, units: str | None
) -> Iterator[Source]:
    """Pour a column into a file of its own, so that any stretch of it can be read."""
    path, names = table.path, table.names
    frames = _readable(path, frames)
    first = next(frames, None)
    if first is None:
        raise RecordError(f"{path} has the columns {', '.join(names)} and no row; expected samples, so export it again")
    timed = _timed(names, first)
    leads = tuple(name for name in names if name != timed)
    if not leads:
        raise RecordError(f"{path}: its only column is {timed}; expected a column of samples beside it, so export both")
    if fs is None and timed is None:
        raise RecordError(f"{path}: no column of times among {', '.join(names)}; give the sampling rate with --fs")
    name, remarks = _choose(path, first, leads, lead)
    clock = TimeColumn(path, timed, first[timed]) if fs is None and timed is not None else None
    rate = clock.fs if clock else float(fs or 0)
    with tempfile.TemporaryFile() as poured:
        pieces, added = _pour(chain([first], frames), name, clock, poured)
        if clock:
            taken = "" if clock.unit == "s" else f", whose values were taken for {clock.unit}"
            remarks += (f"The sampling rate, {rate:g} Hz, is that of the column {timed}{taken}.",)
        if added:
            remarks += (f"Single samples that the column {timed} leaves out were interpolated: {added}.",)
        samples = np.memmap(poured, dtype="<f4", mode="r")
        length = pieces[-1].place + pieces[-1].count
        source = Source(path.stem, name, leads, rate, length, joined(pieces, reading(samples)), remarks)
        yield in_millivolts(path, source, units or table.units.get(name))


def _readable(path: Path, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    try:
        yield from (frame for frame in frames if len(frame))
    except (pd.errors.ParserError, pa.ArrowException, UnicodeDecodeError, OSError) as error:
        reason = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise RecordError(f"{path} cannot be read as a table ({reason}); mend it there, or export it again") from error


def _timed(names: list[str], first: pd.DataFrame) -> str | None:
    named = [name for name in names if TIME_NAMES.fullmatch(name)]
    typed = first.select_dtypes(["datetime", "datetimetz", "timedelta"]).columns
    return next(chain(named, map(str, typed)), None)


def _choose(path: Path, first: pd.DataFrame, leads: tuple[str, ...], lead: str | None) -> tuple[str, tuple[str, ...]]:
    """Find the lead; where none is asked for, among the columns that are no count of rows or time."""
    if lead is not None:
        at, remarks = choose_lead(path, leads, lead)
        return leads[at], remarks
    ramps = [name for name in leads if _rises(first[name])]
    others = tuple(name for name in leads if name not in ramps)
    if not others:
        raise RecordError(
            f"{path}: {', '.join(ramps)} increases from row to row, as a time or a count does; expected a column of "
            f"samples beside it, or its name with --lead"
        )
    at, remarks = choose_lead(path, others, None)
    return others[at], (*(f"Column {name} increases from row to row, so it is no lead." for name in ramps), *remarks)


def _rises(column: pd.Series) -> bool:
    values = pd.to_numeric(column[: RAMP_ROWS[1]], errors="coerce")
    return len(values) >= RAMP_ROWS[0] and bool((np.diff(values) > 0).all())


def _pour(
    frames: Iterator[pd.DataFrame], name: str, clock: TimeColumn | None, file: IO[bytes]
) -> tuple[list[Piece], int]:
    """Write the samples one after the other; gives where they belong, and how many were interpolated."""
    stored, placed = [np.zeros(1, dtype=np.int64)], [np.zeros(1, dtype=np.int64)]
    written, added, last_place, last_value = 0, 0, -1, np.float32(np.nan)
    for frame in frames:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype="<f4")
        places = clock.places(frame[clock.column]) if clock else np.arange(written, written + len(values))
        single = np.flatnonzero(np.diff(places, prepend=last_place) == 2)
        before = np.concatenate([[last_value], values])[single]
        values = np.insert(values, single, (before + values[single]) / 2)
        places = np.insert(places, single, places[single] - 1)
        begins = np.flatnonzero(np.diff(places, prepend=last_place) > 1)
        stored.append(written + begins)
        placed.append(places[begins])
        file.write(values.tobytes())
        written, added, last_place, last_value = written + len(values), added + len(single), places[-1], values[-1]
    file.flush()
    return pieces_of(np.concatenate(stored), np.concatenate(placed), written), added
