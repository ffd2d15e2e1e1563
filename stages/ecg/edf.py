"""Recordings in EDF, BDF, EDF+ and BDF+."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.ecg.leads import MV, Source, choose_lead, millivolts_of
from stages.ecg.recordings import RecordError


@contextmanager
def open_edf(path: Path, lead: str | None, fs: float | None, units: str | None) -> Iterator[Source]:
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
    factor = millivolts_of(path, units or signal.physical_dimension or "none")
    rate = float(signal.sampling_frequency)
    length = round(file.duration * rate)

    def read(start: int, stop: int) -> NDArray[np.float64]:
        try:
            return np.asarray(signal.get_data_slice(start / rate, stop / rate), dtype=np.float64) * factor
        except Exception as error:
            raise RecordError(f"{path}: the samples {start} to {stop} cannot be read ({error})") from error

    yield Source(path.stem, leads[channel], leads, float(fs or rate), length, read, remarks)
