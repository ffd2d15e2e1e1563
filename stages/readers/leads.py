"""One lead of a recording: which of them it is, how its samples are read, and what they are in mV."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.ecg.recordings import RecordError

RATES_HZ = (100.0, 1000.0)
"""Sampling rates between which a QRS complex is still itself and a recording is not something else."""

MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}
"""Millivolts of one unit, by its name in lower case; the two letters mu are different characters."""

GUESSED_UNITS = (("V", 0.02), ("mV", 20.0), ("uV", 20_000.0))
"""Units of a file that names none, by the span of its values: an ECG spans about 0.5 to 10 mV."""

GUESS_FROM_S = 60.0

LEADS = ("MLII", "II", "ML2", "V5", "CM5", "I")
"""Leads in which a QRS complex looks most as in those that the networks were trained on, the best first."""

ALL_LEADS_ARE = re.compile(r"^(ECG|EKG|LEAD|MDC_ECG_LEAD)[\s_-]*(?=\S)", re.IGNORECASE)

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
        """Length of the recording, s."""
        return self.length / self.fs


def check_rate(path: Path, fs: float) -> None:
    """Raise a RecordError for a sampling rate out of range, or none."""
    if not RATES_HZ[0] <= fs <= RATES_HZ[1]:
        raise RecordError(
            f"{path}: the sampling rate is {fs:g} Hz; expected {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz, so give the "
            f"right one with --fs"
        )


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
        raise RecordError(
            f"{path}: there is no lead {lead}; expected one of {', '.join(leads)}, so name it with --lead"
        )
    for number, wanted in enumerate(LEADS):
        if wanted in plain:
            at = plain.index(wanted)
            usual = () if number < 3 else (f"Lead {leads[at]} was taken; the networks were trained on MLII.",)
            return at, usual
    which = f"the first of {len(leads)}" if len(leads) > 1 else "the only one"
    return 0, (f"Lead {leads[0]} was taken, {which}; the networks were trained on MLII.",)


def _plain(name: str) -> str:
    """Strip a name of what says that it is a lead of an ECG."""
    return ALL_LEADS_ARE.sub("", name.strip("'\" ")).replace(" ", "").upper()


def millivolts_of(path: Path, units: str) -> float:
    """Give how many mV one of the units is.

    Raises
    ------
    RecordError
        If the units are not of a voltage.
    """
    try:
        return MV[units.strip().strip("'\"").lower()]
    except KeyError:
        raise RecordError(f"{path}: its units are {units!r}; expected mV, uV, V or nV, so give --units") from None


def reading(samples: NDArray) -> Read:
    """Read from an array; what is not finite is missing."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        part = np.asarray(samples[start:stop], dtype=np.float64)
        return np.where(np.isfinite(part), part, np.nan)

    return read


def in_millivolts(path: Path, source: Source, units: str | None) -> Source:
    """Turn the values into mV, by the units that are named or by how large the values are.

    Raises
    ------
    RecordError
        If there is no sample, or no units are named and the values tell none.
    """
    if source.length < 1:
        raise RecordError(f"{path}: there is no sample in it; expected an ECG, so export it again")
    remarks = source.remarks
    if units is None:
        span = _span(path, source)
        units = next((name for name, largest in GUESSED_UNITS if span < largest), None)
        if units is None:
            raise RecordError(
                f"{path}: lead {source.lead} spans {span:g} and no units are named; expected less than "
                f"{GUESSED_UNITS[-1][1]:g}, so give --units or choose another --lead"
            )
        remarks += (f"The values span {span:.3g}, so they were taken for {units}.",)
    factor, raw = millivolts_of(path, units), source.read
    return replace(source, read=lambda start, stop: raw(start, stop) * factor, remarks=remarks)


def _span(path: Path, source: Source) -> float:
    """Measure how far the values of the first minute that shows any deflection reach."""
    step, level = round(GUESS_FROM_S * source.fs), None
    for start in range(0, source.length, step):
        values = source.read(start, min(start + step, source.length))
        values = values[np.isfinite(values)]
        span = float(np.subtract(*np.percentile(values, [99.9, 0.1]))) if len(values) else 0.0
        if span > 0:
            return span
        level = float(values[0]) if len(values) else level
    what = "holds no number" if level is None else f"is {level:g} throughout"
    other = f"choose another --lead of {', '.join(source.leads)}" if len(source.leads) > 1 else "choose another file"
    raise RecordError(
        f"{path}: lead {source.lead} {what}; expected an ECG, so {other}, or give --units to have it read all the same"
    )
