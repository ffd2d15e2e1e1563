"""Recordings in EDF, BDF, EDF+ and BDF+."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.ecg.recordings import RecordError
from stages.readers.leads import MV, Source, choose_lead, millivolts_of
from stages.readers.pieces import LONGEST_GAP_S, Piece, joined, pieces_of, settled

HEADER_BYTES = 256
"""Of the file, and again of each of its signals (Kemp et al. 1992, https://www.edfplus.info/specs/edf.html)."""

ONSET = re.compile(rb"[+-]\d+(\.\d+)?")
"""When a data record begins, s: the first that its annotations say (Kemp and Olivan 2003, EDF+)."""


@dataclass(frozen=True)
class Layout:
    """What the header of a file says of its data records.

    Attributes
    ----------
    continuous : bool
        Whether each record begins where the one before ends; else the annotations say when.
    described : int
        Records that the header counts; negative where the recorder did not come to it.
    labels : list of str
        Of all signals, annotations included.
    widths : list of int
        Bytes of each signal in a record.
    """

    continuous: bool
    described: int
    labels: list[str]
    widths: list[int]


@contextmanager
def open_edf(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
    """Open an EDF or BDF file; see :func:`stages.readers.source.open_source`."""
    import edfio  # only here, for it takes a while

    try:
        layout = _layout(path)
        with warnings.catch_warnings(action="ignore"):  # what edfio mends in silence is said below
            file = (edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf)(path)
        signals: tuple[Any, ...] = tuple(file.signals)
        leads = tuple(signal.label for signal in signals)
    except Exception as error:
        raise RecordError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({error}); export the recording again"
        ) from error
    if not leads:
        raise RecordError(f"{path} holds no signal; expected an ECG beside the annotations, so choose another file")
    channel, remarks = _choose(path, signals, leads, lead)
    signal = signals[channel]
    factor = millivolts_of(path, units or signal.physical_dimension or "none")
    rate, records = float(signal.sampling_frequency), int(file.num_data_records)
    if layout.described != records:
        remarks += (_counted(layout.described, records, float(file.data_record_duration)),)
    if fs is not None and fs != rate:
        remarks += (f"A sampling rate of {fs:g} Hz was given; the header says {rate:g} Hz.",)

    def stored(start: int, stop: int) -> NDArray[np.float64]:
        try:
            return np.asarray(signal.get_data_slice(start / rate, stop / rate), dtype=np.float64) * factor
        except Exception as error:
            raise RecordError(f"{path}: the samples {start} to {stop} cannot be read ({error})") from error

    pieces = [Piece(0, round(file.duration * rate), 0)]
    if not layout.continuous:
        pieces = _pieces(path, _onsets(path, layout, records), float(file.data_record_duration), rate)
        remarks += _gaps(pieces, rate)
    length = pieces[-1].place + pieces[-1].count
    yield Source(path.stem, leads[channel], leads, float(fs or rate), length, joined(pieces, stored), remarks)


def _layout(path: Path) -> Layout:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
        count = int(head[252:256])
        of_signals = file.read(HEADER_BYTES * count)
    labels = [of_signals[16 * number :][:16].decode("ascii").strip() for number in range(count)]
    counts = [int(of_signals[216 * count + 8 * number :][:8]) for number in range(count)]
    sample_bytes = 3 if head[:1] == b"\xff" else 2
    continuous = not head[192:197].endswith(b"+D")
    return Layout(continuous, int(head[236:244]), labels, [sample_bytes * each for each in counts])


def _choose(
    path: Path, signals: tuple[Any, ...], leads: tuple[str, ...], lead: str | None
) -> tuple[int, tuple[str, ...]]:
    """Find the lead; where none is asked for, among the signals that are voltages."""
    voltages = [number for number, signal in enumerate(signals) if signal.physical_dimension.strip().lower() in MV]
    if lead is not None or not voltages:
        return choose_lead(path, leads, lead)
    at, remarks = choose_lead(path, tuple(leads[number] for number in voltages), None)
    return voltages[at], remarks


def _counted(described: int, held: int, record_s: float) -> str:
    if described < 0:
        return f"The header does not say how long the recording is; the file holds {held * record_s:g} s."
    short = "it was cut short" if held < described else "the rest was read as well"
    return f"The header describes {described * record_s:g} s and the file holds {held * record_s:g} s: {short}."


def _onsets(path: Path, layout: Layout, records: int) -> NDArray[np.float64]:
    """Read when each data record begins, s."""
    timekeeper = next((at for at, label in enumerate(layout.labels) if label.endswith(" Annotations")), None)
    if timekeeper is None:
        raise RecordError(f"{path} is discontinuous (+D), but no annotations say when its parts begin; export it again")
    offset, width = sum(layout.widths[:timekeeper]), layout.widths[timekeeper]
    begin = HEADER_BYTES * (1 + len(layout.labels))
    data = np.memmap(path, np.uint8, "r", begin, (records, sum(layout.widths)))
    onsets = [ONSET.match(row.tobytes()) for row in data[:, offset : offset + width]]
    if None in onsets:
        raise RecordError(f"{path}: data record {onsets.index(None) + 1} does not say when it begins; export it again")
    return np.array([float(onset[0]) for onset in onsets if onset])


def _pieces(path: Path, onsets: NDArray[np.float64], record_s: float, rate: float) -> list[Piece]:
    """Join the records that follow each other without a gap."""
    steps = np.diff(onsets)
    for wrong, what in ((steps < 0.99 * record_s, "overlaps the one before"), (steps > LONGEST_GAP_S, _far())):
        if wrong.any():
            at = int(wrong.argmax()) + 1
            raise RecordError(f"{path}: data record {at + 1}, at {onsets[at]:g} s, {what}; export it again")
    count = round(record_s * rate)
    first = count * np.arange(len(onsets))
    return pieces_of(first, settled(first, (onsets - onsets[0]) * rate), count * len(onsets))


def _far() -> str:
    return f"is more than {LONGEST_GAP_S / 3600:g} hours after the one before"


def _gaps(pieces: list[Piece], rate: float) -> tuple[str, ...]:
    if len(pieces) == 1:
        return ()
    missing = pieces[-1].place - pieces[-1].first
    return (f"Gaps between the parts of the recording (+D): {len(pieces) - 1}, {missing / rate:g} s in all.",)
