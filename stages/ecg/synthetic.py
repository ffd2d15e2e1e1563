"""A SYNTHETIC beat-annotated database in the shape of MIT-BIH, to try the pipeline where the real one is out of reach.

Every beat is a sum of Gaussian waves P, Q, R, S, T, an idea of McSharry, Clifford, Tarassenko & Smith, "A dynamical
model for generating synthetic electrocardiogram signals", IEEE Trans Biomed Eng 50(3):289-294 (2003). Here the waves
lie on a time axis rather than on a limit cycle, and ectopic beats come in: early, wide, fused, paced. Amplitudes,
durations and shares of beats are invented within what textbooks call usual; scores on them say nothing of patients.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import wfdb
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from stages.ecg.databases import SYNTHETIC

FS = 360
GAIN = 200
BASELINE = 1024
LARGEST = 2047
"""Format 212 holds 12 bits; -2048 would mark a sample as invalid (WFDB, signal(5)), so the range is symmetric."""

LEADS = ("MLII", "V1")
MAINS_HZ = 60
SHORTEST_MIN = 0.5
LABEL = "SYNTHETIC record, made by a program: no patient"
ANNOTATOR = "atr\treference beat, rhythm, and signal quality annotations\n"

MARGINS_S = (0.4, 0.8)
"""Time before the first and after the last beat."""
BEAT_S = (-0.4, 0.7)
"""Span around a beat's main deflection beyond which its waves have died away."""
NOISY_S = 4.0


NOISES_MV = {"bw": 0.4, "em": 0.3, "ma": 0.1}
"""Amplitude of each SYNTHETIC noise, named as the recorded ones: baseline wander, electrode motion, muscle artefact."""


class Wave(NamedTuple):
    """A Gaussian wave: amplitude (mV), centre relative to the main deflection (s), standard deviation (s)."""

    mv: float
    centre_s: float
    width_s: float


NONE = Wave(0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Shape:
    """The waves of a beat in lead MLII, for a main deflection of 1 mV.

    In a ventricular or paced beat, ``q`` and ``s`` are the early and the late part of the wide complex.
    """

    p: Wave
    q: Wave
    r: Wave
    s: Wave
    t: Wave
    spike: Wave = NONE


V1 = np.array([0.6, -1.5, -0.7, -1.3, 0.5, 0.8])
"""Amplitude of each wave of a :class:`Shape` in V1, as a multiple of its amplitude in MLII."""

_P, _Q, _T = Wave(0.12, -0.17, 0.022), Wave(-0.1, -0.028, 0.009), Wave(0.28, 0.31, 0.045)
_EARLY, _LATE = Wave(0.25, -0.05, 0.02), Wave(-0.3, 0.085, 0.028)
_SPIKE = Wave(0.9, -0.046, 0.003)
SHAPES = MappingProxyType(
    {
        "N": Shape(_P, _Q, Wave(1, 0, 0.011), Wave(-0.2, 0.028, 0.010), _T),
        "L": Shape(_P, Wave(0.55, -0.04, 0.016), Wave(1, 0, 0.020), NONE, Wave(-0.25, 0.31, 0.050)),
        "R": Shape(_P, _Q, Wave(1, 0, 0.012), Wave(-0.4, 0.050, 0.024), _T),
        "V": Shape(NONE, _EARLY, Wave(1, 0, 0.028), _LATE, Wave(-0.35, 0.29, 0.060)),
        "/": Shape(NONE, NONE, Wave(-1, 0, 0.028), Wave(-0.35, 0.06, 0.025), Wave(0.4, 0.33, 0.060), _SPIKE),
        "Q": Shape(NONE, Wave(-0.45, -0.085, 0.02), Wave(1, 0, 0.025), Wave(0.45, 0.085, 0.03), Wave(-0.1, 0.28, 0.04)),
    }
)
"""Beats of the patient's own rhythm (normal, left, right bundle branch block); ventricular, paced and odd beats."""

ATRIAL_P = Wave(-0.9, 0.75, 0.9)
"""P wave of a premature atrial beat, as multiples of the patient's own: upside down and closer to the QRS complex."""


class Timing(NamedTuple):
    """When an ectopic beat comes, in multiples of the RR interval that the sinus rhythm would have had.

    The interval before it is drawn from ``earliest`` to ``latest``; with the one after it, it lasts ``both``:
    2 is a full compensatory pause, less means that the beat has reset the sinus node.
    """

    earliest: float
    latest: float
    both: float


TIMINGS = MappingProxyType(
    {
        "A": Timing(0.66, 0.80, 1.84),
        "V": Timing(0.58, 0.80, 2.00),
        "F": Timing(0.90, 1.00, 2.00),
        "/": Timing(1.08, 1.22, 2.15),
        "f": Timing(1.00, 1.08, 2.04),
        "Q": Timing(0.85, 1.08, 2.00),
    }
)


@dataclass(frozen=True)
class Patient:
    """What tells one patient from another; the rest is drawn.

    Attributes
    ----------
    age : int
    sex : str
    bpm : float
        Mean heart rate.
    own : str
        Symbol of the beats that the patient's own rhythm makes: ``N``, ``L`` or ``R``.
    r_mv, v_mv : float
        Main deflection of these beats and of the ventricular ones in MLII, mV.
    t : float
        Factor of the T amplitude.
    breathing : float
        Share by which the RR interval swings with respiration.
    wander_mv, hum_mv, muscle_mv : float
        Amplitude of baseline wander and of mains hum, standard deviation of muscle noise, mV.
    shares : tuple of float
        Percentage of the beats that have the symbols of ``TIMINGS``, in that order.
    """

    age: int
    sex: str
    bpm: float
    own: str
    r_mv: float
    v_mv: float
    t: float
    breathing: float
    wander_mv: float
    hum_mv: float
    muscle_mv: float
    shares: tuple[float, ...]


PATIENTS = (
    Patient(69, "M", 74, "N", 1.10, 1.50, 1.0, 0.030, 0.10, 0.010, 0.015, (5, 8, 2, 6, 0, 0.5)),
    Patient(54, "F", 82, "N", 0.80, -1.30, 0.7, 0.025, 0.06, 0.005, 0.030, (8, 5, 3, 0, 0, 0)),
    Patient(77, "M", 66, "R", 1.00, 1.60, 1.2, 0.020, 0.15, 0.020, 0.012, (4, 10, 2, 5, 0, 0.5)),
    Patient(32, "F", 90, "N", 1.40, 1.90, 1.3, 0.080, 0.08, 0.008, 0.035, (6, 6, 4, 0, 0, 0)),
    Patient(63, "M", 70, "L", 1.20, 1.80, 1.0, 0.020, 0.12, 0.015, 0.018, (7, 7, 2, 0, 0, 0)),
    Patient(81, "F", 68, "N", 0.90, 1.20, 0.8, 0.015, 0.10, 0.010, 0.025, (3, 6, 2, 14, 3, 1)),
    Patient(45, "M", 78, "N", 1.60, 2.00, 0.6, 0.060, 0.20, 0.004, 0.060, (9, 4, 3, 0, 0, 0)),
    Patient(72, "F", 86, "N", 0.70, -1.10, 1.5, 0.020, 0.05, 0.030, 0.015, (5, 11, 3, 4, 0, 1)),
    Patient(58, "M", 72, "N", 1.00, 1.50, 0.9, 0.040, 0.12, 0.012, 0.035, (7, 7, 3, 0, 0, 0)),
    Patient(66, "F", 80, "N", 1.30, -1.70, 1.1, 0.025, 0.08, 0.008, 0.028, (4, 9, 2, 5, 0, 0.5)),
    Patient(84, "M", 62, "R", 0.90, 1.30, 1.0, 0.020, 0.18, 0.018, 0.016, (8, 5, 3, 0, 0, 0)),
    Patient(49, "F", 88, "N", 1.10, 1.70, 1.3, 0.070, 0.10, 0.010, 0.045, (5, 8, 2, 7, 1, 0.5)),
)


def write_database(folder: Path, seed: int, minutes: float) -> None:
    """Write the files of ``SYNTHETIC``: the same bytes for the same seed and length.

    Parameters
    ----------
    folder : Path
        An existing folder.
    seed : int
        Each record has a random stream of its own, spawned from it.
    minutes : float
        Length of each record.

    Raises
    ------
    ValueError
        If a record would be too short to hold a beat of each class.
    """
    if not SHORTEST_MIN <= minutes < np.inf:
        raise ValueError(f"minutes is {minutes}: a synthetic record lasts at least {SHORTEST_MIN} minutes")
    streams = np.random.default_rng(seed).spawn(len(PATIENTS))
    for record, patient, rng in zip(SYNTHETIC.records, PATIENTS, streams, strict=True):
        write_record(folder, record, patient, minutes * 60, rng)
    (folder / "RECORDS").write_text("".join(f"{record}\n" for record in SYNTHETIC.records), newline="\n")
    (folder / "ANNOTATORS").write_text(ANNOTATOR, newline="\n")


def write_noises(folder: Path, seed: int, minutes: float) -> None:
    """Write a SYNTHETIC stand-in for each recorded noise of the Noise Stress Test Database, two channels alike.

    ``bw`` wanders slowly, ``em`` jumps and settles as an electrode that is moved, ``ma`` is muscle noise that swells.
    """
    length = round(minutes * 60 * FS)
    times = np.arange(length)[:, None] / FS
    for name, rng in zip(NOISES_MV, np.random.default_rng(seed).spawn(len(NOISES_MV)), strict=True):
        if name == "bw":
            rates, phases = rng.uniform(0.05, 0.5, 5), rng.uniform(size=(2, 5))
            noise = np.sin(2 * np.pi * (rates * times[:, :, None] + phases)).sum(axis=2)
        elif name == "em":
            jumps = np.where(rng.random((length, 2)) < 1 / FS, rng.normal(size=(length, 2)), 0.0)
            noise = lfilter([1.0], [1.0, -np.exp(-1 / (0.3 * FS))], jumps, axis=0)
        else:
            noise = rng.standard_normal((length, 2)) * (1 + np.sin(2 * np.pi * times / 20))
        _write_signals(folder, name, ("noise1", "noise2"), NOISES_MV[name] * noise, [LABEL.replace("record", "noise")])


def _write_signals(
    folder: Path, record: str, names: Sequence[str], signal: NDArray[np.float64], comments: list[str]
) -> None:
    wfdb.wrsamp(
        record,
        fs=FS,
        units=["mV"] * len(names),
        sig_name=list(names),
        d_signal=np.rint(signal * GAIN + BASELINE).clip(-LARGEST, LARGEST).astype(np.int64),
        fmt=["212"] * len(names),
        adc_gain=[GAIN] * len(names),
        baseline=[BASELINE] * len(names),
        comments=comments,
        write_dir=str(folder),
    )


def write_record(folder: Path, record: str, patient: Patient, seconds: float, rng: Generator) -> None:
    """Write header, signals and annotations of one patient."""
    symbols = draw_symbols(patient, seconds, rng)
    times = draw_times(patient, symbols, seconds, rng)
    clean = render(times, draw_waves(patient, symbols, times, rng), round(seconds * FS))
    noisy_s = np.sort(rng.uniform(0, seconds - NOISY_S, size=1 + int(seconds // 300)))
    signal = clean + draw_noise(patient, noisy_s, len(clean), rng)
    _write_signals(folder, record, LEADS, signal, [LABEL, f"{patient.age} {patient.sex}"])
    beats = [(round(time * FS), symbol, 0, "") for time, symbol in zip(times, symbols, strict=True)]
    noises = [(round((at + NOISY_S * end) * FS), "~", 1 - end, "") for at in noisy_s for end in (0, 1)]
    rows = sorted([(FS // 20, "+", 0, "(N\0"), *beats, *noises], key=lambda row: row[0])
    samples, marks, subtypes, notes = zip(*rows, strict=True)
    marked = {"symbol": list(marks), "subtype": np.array(subtypes), "aux_note": list(notes)}
    wfdb.wrann(record, "atr", np.array(samples), **marked, write_dir=str(folder))


def draw_symbols(patient: Patient, seconds: float, rng: Generator) -> NDArray[np.str_]:
    """Draw the order of the beats: each ectopic kind that the patient has at least once, never two in a row."""
    length = round((seconds - sum(MARGINS_S)) * patient.bpm / 60)
    shares = zip(TIMINGS, patient.shares, strict=True)
    ectopic = [symbol for symbol, share in shares if share for _ in range(max(1, round(share / 100 * length)))]
    # Places drawn among as many fewer as there are gaps to keep, then spread by one each: none are neighbours.
    places = np.sort(rng.choice(length - 1 - len(ectopic), size=len(ectopic), replace=False))
    symbols = np.full(length, patient.own)
    symbols[places + 1 + np.arange(len(ectopic))] = rng.permutation(ectopic)
    return symbols


def draw_times(patient: Patient, symbols: NDArray[np.str_], seconds: float, rng: Generator) -> NDArray[np.float64]:
    """Draw the time of each main deflection, s: sinus rhythm that breathes and drifts, and what ``TIMINGS`` says."""
    nominal = np.arange(len(symbols)) * 60 / patient.bpm
    breath_hz, drift_hz = rng.uniform(0.2, 0.3), rng.uniform(0.01, 0.03)
    breath, drift = (np.sin(2 * np.pi * (hz * nominal + rng.uniform())) for hz in (breath_hz, drift_hz))
    rr = 1 + patient.breathing * breath + 0.025 * drift + 0.01 * rng.standard_normal(len(symbols))
    for symbol, timing in TIMINGS.items():
        at = np.flatnonzero(symbols == symbol)
        before = rng.uniform(timing.earliest, timing.latest, size=len(at))
        rr[at] *= before
        rr[at + 1] *= timing.both - before
    elapsed = np.cumsum(rr) - rr[0]
    return MARGINS_S[0] + elapsed * (seconds - sum(MARGINS_S)) / elapsed[-1]


def draw_waves(
    patient: Patient, symbols: NDArray[np.str_], times: NDArray[np.float64], rng: Generator
) -> NDArray[np.float64]:
    """Draw the waves of each beat.

    Returns
    -------
    ndarray of float64, shape (beats, 2, 6, 3)
        Amplitude, centre and width of the waves of a :class:`Shape`, of the beat itself and of the patient's own
        beat that it may be fused with.
    """

    def of_patient(shape: Shape, scale: float) -> NDArray[np.float64]:
        waves = np.array(astuple(shape)) * rng.normal(1, (0.15, 0.05, 0.08), size=(6, 3)).clip(0.6, 1.4)
        waves[2, 0] = shape.r.mv
        waves[:, 0] *= scale
        return waves

    own = of_patient(SHAPES[patient.own], patient.r_mv)
    own[4, 0] *= patient.t
    atrial = own.copy()
    atrial[0] *= ATRIAL_P
    ventricular = of_patient(SHAPES["V"], patient.v_mv)
    paced = of_patient(SHAPES["/"], 1.2 * patient.r_mv)
    odd = of_patient(SHAPES["Q"], patient.r_mv)
    bank = {patient.own: own, "A": atrial, "V": ventricular, "F": ventricular, "/": paced, "f": paced, "Q": odd}
    waves = np.stack([np.stack([bank[symbol], own]) for symbol in symbols])
    waves *= rng.normal(1, (0.10, 0.03, 0.06), size=waves.shape).clip(0.75, 1.25)
    waves[symbols == "Q", 0, :, 0] *= rng.uniform(0.75, 1.25, size=(int(np.sum(symbols == "Q")), 6))
    fused = np.isin(symbols, ("F", "f"))
    share = np.where(fused, rng.uniform(0.25, 0.8, size=len(symbols)), 1.0)
    waves[:, :, :, 0] *= np.stack([share, 1 - share], axis=1)[:, :, None]
    # The QT interval goes with the root of the RR interval (Bazett).
    waves[:, :, 4, 1] *= np.sqrt(np.diff(times, prepend=times[0] - 60 / patient.bpm).clip(0.5, 1.2))[:, None]
    return waves


def render(times: NDArray[np.float64], waves: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Add up the waves of all beats.

    Parameters
    ----------
    times : ndarray, shape (beats,)
        Main deflections, s.
    waves : ndarray, shape (beats, 2, 6, 3)
        See :func:`draw_waves`.
    length : int
        Samples of the signal.

    Returns
    -------
    ndarray of float64, shape (length, leads)
        mV.
    """
    first, end = (round(edge * FS) for edge in BEAT_S)
    samples = np.rint(times * FS).astype(np.int64)[:, None] + np.arange(first, end)
    offsets = samples / FS - times[:, None]
    beats = np.zeros((len(LEADS), *samples.shape))
    for part in range(waves.shape[1]):
        for wave, factor in enumerate(V1):
            mv, centre, width = waves[:, part, wave, :, None].transpose(1, 0, 2)
            bump = mv * np.exp(-0.5 * ((offsets - centre) / width) ** 2)
            beats += np.multiply.outer([1.0, factor], bump)
    inside = (samples >= 0) & (samples < length)
    return np.stack([np.bincount(samples[inside], lead[inside], minlength=length) for lead in beats], axis=1)


def draw_noise(patient: Patient, noisy_s: NDArray[np.float64], length: int, rng: Generator) -> NDArray[np.float64]:
    """Draw baseline wander, mains hum and muscle noise, mV; the last is threefold for ``NOISY_S`` from ``noisy_s`` on.

    Returns
    -------
    ndarray of float64, shape (length, leads)
    """
    time = np.arange(length)[:, None] / FS
    wander = sum(
        rng.uniform(0.4, 1.0, len(LEADS)) * np.sin(2 * np.pi * (rng.uniform(*band) * time + rng.uniform()))
        for band in ((0.02, 0.05), (0.05, 0.15), (0.2, 0.3))
    )
    hum = rng.uniform(0.7, 1.3, len(LEADS)) * np.sin(2 * np.pi * (MAINS_HZ * time + rng.uniform()))
    noisy = ((time >= noisy_s) & (time < noisy_s + NOISY_S)).any(axis=1, keepdims=True)
    muscle = rng.standard_normal((length, len(LEADS))) * np.where(noisy, 3.0, 1.0)
    return patient.wander_mv * wander + patient.hum_mv * hum + patient.muscle_mv * muscle
