"""Classify the beats of a recording, a file in any of the formats that :mod:`stages.readers` knows.

In Python: ``from stages.inference.classify import classify``. Not a medical device: what it says is no diagnosis.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from stages.config import paths
from stages.ecg.annotations import Annotations, read_annotations
from stages.ecg.beat_format import BeatFormat
from stages.ecg.beatset import beat_format
from stages.ecg.burden import merged, summarise
from stages.ecg.quality import Problem
from stages.ecg.recordings import RecordError
from stages.inference.finds import Excerpt, excerpts_of, finds
from stages.inference.stretches import Network, Predict, Stretch, classify_stretches
from stages.nets.classifying import Classifier, ensemble_of
from stages.nets.runtimes import MODEL_SUFFIXES, load
from stages.readers.leads import Source
from stages.readers.source import open_source
from stages.scores.bxb import LABEL_OF_SYMBOL

Model = Literal["cnn", "rnn", "ensemble"]
Protocol = Literal["inter_patient", "intra_patient"]
Runtime = Literal["onnx", "litert", "keras"]

MEMBERS: dict[Model, tuple[str, ...]] = {"cnn": ("cnn",), "rnn": ("rnn",), "ensemble": ("cnn", "rnn")}

HOME = Path(__file__).resolve().parents[2]
"""The top folder of the project, where the models are."""

MOSTLY = 0.5
FEWEST = 2
"""Beats that it takes for one RR interval."""

SHORT_S = 10.0
"""A recording below this may hold too little for the detector to settle on, whatever its quality."""

DOWNWARD = (
    "Most QRS complexes point down. The networks were trained on MLII, in which they point up (in 47 of the 48 records "
    "of mitdb): if the electrodes were swapped, turn the signal with --invert (in Python: invert=True)."
)
BEATS = [symbol for symbol, label in LABEL_OF_SYMBOL.items() if label != "O"]
"""Symbols that mark a beat in any WFDB database."""

NOT_CLASSIFIED = "|"
"""Symbol of an isolated QRS-like artifact (WFDB), for a beat that was not classified."""


@dataclass(frozen=True)
class Classified:
    """A recording whose beats are classified.

    Attributes
    ----------
    beats : DataFrame, one row a beat
        See :class:`stages.inference.stretches.Stretch`.
    summary : dict
        See :func:`stages.ecg.burden.summarise`; beside it what was read and with what it was classified, ``remarks``,
        and ``warnings``: those of the remarks that may make all the rest wrong.
    problems : list of Problem
        Stretches in which no beat was classified.
    shapes : dict of str to ndarray of float64, shape (3, samples)
        Of the classified beats of each class: how many, sum of their windows, sum of the squares.
    fmt : BeatFormat
        How the windows were cut.
    excerpts : list of Excerpt
        The signal around what was found.
    """

    beats: pd.DataFrame
    summary: dict[str, Any]
    problems: list[Problem]
    shapes: dict[str, NDArray[np.float64]]
    fmt: BeatFormat
    excerpts: list[Excerpt]


def classify(
    path: Path | str,
    *,
    model: Model = "ensemble",
    protocol: Protocol = "inter_patient",
    runtime: Runtime = "onnx",
    lead: str | None = None,
    fs: float | None = None,
    units: str | None = None,
    beats: str | None = None,
    gate: bool = True,
    invert: bool = False,
    progress: bool = False,
) -> Classified:
    """Find and classify the beats of a recording.

    Parameters
    ----------
    path : Path or str
        See :func:`stages.readers.source.open_source`, also for ``lead``, ``fs`` and ``units``.
    model : {"cnn", "rnn", "ensemble"}
        The ensemble averages the other two.
    protocol : {"inter_patient", "intra_patient"}
        The networks of the patient-mixed protocol know the patients of mitdb; for anyone else take the first.
    runtime : {"onnx", "litert", "keras"}
    beats : str, optional
        Annotator, such as atr, whose beats are classified; else they are detected.
    gate : bool
        Whether beats in stretches of bad signal are left unclassified.
    invert : bool
        Whether to turn the signal upside down first, because its electrodes were swapped.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Classified

    Raises
    ------
    RecordError
        If the recording cannot be used.
    ModelFileError
        If the model is missing.
    """
    path = Path(path)
    classifiers = [load(HOME / paths.MODELS / protocol / f"{name}{MODEL_SUFFIXES[runtime]}") for name in MEMBERS[model]]
    with open_source(path, lead, fs, units) as opened:
        source = inverted(opened) if invert else opened
        annotated = annotated_beats(path, beats) if beats is not None else None
        network = Network(predict_of(classifiers), beat_format(classifiers[0].about["trained_on"]["fmt"]))
        stretches = classify_stretches(source, network, annotated, gate)
        seconds, hidden = round(source.duration_s), None if progress else True
        with tqdm(total=seconds, desc=source.record, unit="s", disable=hidden) as bar:
            table, problems, shapes = join_stretches(stretches, source.fs, bar.update)
        warnings = remarks_on(table, source.duration_s)
        about = classifiers[0].about
        summary = {
            "record": source.record,
            "lead": source.lead,
            "sampling_rate_hz": source.fs,
            "remarks": [*source.remarks, *warnings],
            "warnings": warnings,
            "model": {
                "name": model,
                "protocol": about["protocol"],
                "protocol_label": about["protocol_label"],
                "synthetic": about["trained_on"]["synthetic"],
                "runtime": runtime,
            },
            "beats_from": beats or f"sleepecg {version('sleepecg')}",
            **summarise(table, problems, source.fs, source.length),
            "not_a_medical_device": "Research software; what it says is no diagnosis.",
        }
        excerpts = excerpts_of(source, finds(table, summary))
        return Classified(table, summary, problems, shapes, network.fmt, excerpts)


def predict_of(classifiers: list[Classifier]) -> Predict:
    """Give what classifies beats: one network, or the average of several."""
    return classifiers[0].predict if len(classifiers) == 1 else ensemble_of(classifiers)


def join_stretches(
    stretches: Iterable[Stretch], fs: float, update: Callable[[int], object]
) -> tuple[pd.DataFrame, list[Problem], dict[str, NDArray[np.float64]]]:
    """Join the stretches of a recording, and tell of each that is done how long it is, s."""
    tables: list[pd.DataFrame] = []
    problems: list[Problem] = []
    shapes: dict[str, NDArray[np.float64]] = {}
    for stretch in stretches:
        tables.append(stretch.beats)
        problems += stretch.problems
        shapes |= {name: shapes.get(name, 0) + sums for name, sums in stretch.shapes.items()}
        update(round((stretch.stop - stretch.start) / fs))
    return pd.concat(tables, ignore_index=True), merged(problems), shapes


def annotated_beats(path: Path, annotator: str) -> NDArray[np.int64]:
    """Read the fiducials of the beats that an annotator marked, whatever the database calls them, each once."""
    record = path.with_suffix("") if path.suffix in (".hea", ".dat") else path
    if not Path(f"{record}.{annotator}").is_file():
        raise RecordError(
            f"{record}.{annotator} is missing; expected the beats of the annotator {annotator} beside the recording; "
            f"name another with --beats, or leave that out to have the beats detected"
        )
    annotations = read_annotations(record.parent, record.name, annotator)
    return np.unique(annotations.samples[np.isin(annotations.symbols, BEATS)])


def inverted(source: Source) -> Source:
    """Turn a recording upside down."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        return -source.read(start, stop)

    return replace(source, read=read, remarks=(*source.remarks, "The signal was turned upside down, as asked."))


def remarks_on(beats: pd.DataFrame, duration_s: float) -> list[str]:
    """Say what a person should look at before believing the rest."""
    remarks = []
    if len(beats) < FEWEST:
        count = "A single beat" if len(beats) else "No beat"
        short = "; take a longer part of the recording" if duration_s < SHORT_S else ""
        remarks.append(f"{count} was found in {duration_s:.1f} s, so nothing was classified{short}.")
    elif (beats["class"] == "").mean() > MOSTLY:
        remarks.append("Most of the beats lie where the signal cannot be read.")
    readable = beats[beats["unreadable"] == ""]
    if len(readable) and readable["upright"].mean() < MOSTLY:
        remarks.append(DOWNWARD)
    return remarks


def annotations_of(beats: pd.DataFrame) -> Annotations:
    """Annotate each beat with the WFDB symbol of its class."""
    return Annotations.of_beats(beats["sample"], beats["class"].where(beats["class"] != "", NOT_CLASSIFIED))
