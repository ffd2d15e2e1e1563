"""Annotated recordings read from WFDB files, checked before anything is computed from them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import wfdb
from numpy.typing import NDArray

from stages.ecg import aami

END_OF_ANNOTATIONS = b"\0\0"
"""Last two bytes of every annotation file (WFDB annotation format, annot(5))."""

AGAIN = "download the record again"


class RecordError(ValueError):
    """A recording cannot be used; the message names it, what was expected, what was found and what to do."""


@dataclass(frozen=True)
class Recording:
    """One lead of an annotated recording, beats only.

    Attributes
    ----------
    record : str
    lead : str
        Name of the lead, as the header has it.
    fs : float
        Sampling rate, Hz.
    signal : ndarray of float64, shape (samples,)
        The lead in mV; NaN where the recording marks a sample as invalid.
    samples : ndarray of int64, shape (beats,)
        Annotated fiducials, in samples of ``signal``, strictly increasing.
    symbols : ndarray of str, shape (beats,)
        Annotation symbol of each beat.
    comments : tuple of str
        Comment lines of the header: age, sex, medication.
    """

    record: str
    lead: str
    fs: float
    signal: NDArray[np.float64]
    samples: NDArray[np.int64]
    symbols: NDArray[np.str_]
    comments: tuple[str, ...] = ()

    def around(self, time_s: float, length_s: float) -> tuple[int, "Recording"]:
        """Cut the stretch of a length around a time, or what of it lies inside the recording.

        Parameters
        ----------
        time_s : float
            Middle of the stretch, s from the beginning.
        length_s : float

        Returns
        -------
        int
            First sample of the stretch.
        Recording
            Its signal and beats, in samples from there.
        """
        first = max(0, round((time_s - length_s / 2) * self.fs))
        end = min(len(self.signal), round((time_s + length_s / 2) * self.fs))
        inside = (self.samples >= first) & (self.samples < end)
        samples, symbols = self.samples[inside] - first, self.symbols[inside]
        return first, replace(self, signal=self.signal[first:end], samples=samples, symbols=symbols)


def read_recording(folder: Path, record: str, leads: tuple[str, ...]) -> Recording:
    """Read one lead and the beat annotations of a record.

    Parameters
    ----------
    folder : Path
        Holds ``<record>.hea``, ``.dat`` and ``.atr``.
    record : str
    leads : tuple of str
        Lead names in order of preference; the first that the record has is read.

    Raises
    ------
    RecordError
        If a file is missing, cut short or corrupt, the signal disagrees with the checksum of its header, no wanted
        lead exists, the lead is flat or holds no valid sample, or no annotation marks a beat inside the signal.
    """
    for suffix in (".hea", ".dat", ".atr"):
        if not (folder / f"{record}{suffix}").is_file():
            raise RecordError(f"record {record}: {folder / record}{suffix} is missing; download the record again")
    try:
        header = wfdb.rdheader(str(folder / record))
    except Exception as error:  # wfdb lets whatever its parser stumbles on escape
        raise RecordError(f"record {record}: its header {record}.hea cannot be read ({error}); {AGAIN}") from error
    names = header.sig_name or []
    lead = next((lead for lead in leads if lead in names), None)
    if lead is None:
        raise RecordError(f"record {record}: has the leads {names}, none of the wanted {list(leads)}; add one to them")
    signal = _read_lead(folder, record, names.index(lead))
    samples, symbols = _read_beats(folder, record, len(signal))
    return Recording(record, lead, float(header.fs), signal, samples, symbols, tuple(header.comments))


def _read_lead(folder: Path, record: str, channel: int) -> NDArray[np.float64]:
    try:
        digital = wfdb.rdrecord(str(folder / record), channels=[channel], physical=False)
    except Exception as error:
        raise RecordError(
            f"record {record}: {record}.dat does not hold the signal that its header describes "
            f"({error}); it may be cut short, {AGAIN}"
        ) from error
    expected, actual = digital.checksum[0], digital.calc_checksum()[0]
    if (expected - actual) % 65536:  # WFDB checksums are 16-bit sums of the samples
        raise RecordError(
            f"record {record}: the samples of {record}.dat sum to {actual % 65536}, "
            f"its header says {expected % 65536}; one of the two is damaged, {AGAIN}"
        )
    signal = digital.dac()[:, 0]
    valid = signal[np.isfinite(signal)]
    if not len(valid):
        raise RecordError(f"record {record}: lead {digital.sig_name[0]} has no valid sample; choose another lead")
    if valid.min() == valid.max():
        raise RecordError(
            f"record {record}: lead {digital.sig_name[0]} is flat at {valid[0]:g} mV throughout; choose another lead"
        )
    return signal


def _read_beats(folder: Path, record: str, length: int) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    path = folder / f"{record}.atr"
    if path.read_bytes()[-2:] != END_OF_ANNOTATIONS:
        raise RecordError(f"record {record}: {path.name} lacks its end mark, so it was cut short; {AGAIN}")
    try:
        annotation = wfdb.rdann(str(folder / record), "atr")
        beats = aami.is_beat(annotation.symbol)
    except Exception as error:
        raise RecordError(f"record {record}: {path.name} is no valid annotation file ({error}); {AGAIN}") from error
    samples = np.asarray(annotation.sample, dtype=np.int64)[beats]
    symbols = np.asarray(annotation.symbol, dtype=np.str_)[beats]
    if not len(samples):
        raise RecordError(f"record {record}: {path.name} marks no beat; leave the record out")
    if samples[0] < 0 or samples[-1] >= length:
        outside = samples[0] if samples[0] < 0 else samples[-1]
        raise RecordError(
            f"record {record}: {path.name} marks a beat at sample {outside}, "
            f"the signal ends with sample {length - 1}; the two files do not belong together, {AGAIN}"
        )
    if np.any(np.diff(samples) <= 0):
        at = samples[1:][np.diff(samples) <= 0][0]
        raise RecordError(f"record {record}: {path.name} is out of time order at sample {at}; {AGAIN}")
    return samples, symbols
