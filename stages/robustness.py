"""Score the inter-patient networks on DS2 with recorded noise mixed in, with and without the gate for bad signal.

Raw records, ``data/noise/`` and ``models/inter_patient/*.onnx`` in; ``metrics/robustness/`` out. Beats are judged at
their annotated fiducials, from where the noise begins; how the detector fares is a table of its own.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import wfdb
from numpy.typing import NDArray
from tqdm import tqdm

from stages.config import paths
from stages.config.params import MODELS, Params, ParamsError, load_params
from stages.ecg import aami, folds
from stages.ecg.annotations import read_annotations
from stages.ecg.beat_format import FEATURES, BeatFormat
from stages.ecg.beats import cut_beats, resample
from stages.ecg.beatset import beat_format
from stages.ecg.databases import NSTDB
from stages.ecg.noise import add_noise
from stages.ecg.quality import find_problems, unreadable_beats
from stages.ecg.recordings import RecordError, Recording, read_recording
from stages.figures.scores import robustness_figure
from stages.figures.style import save_png
from stages.inference.annotated_records import REFERENCE, detector_counts
from stages.nets.classifying import Classifier, ModelFileError
from stages.nets.runtimes import load
from stages.scores.ec57 import ec57_scores
from stages.scores.per_beat import beat_scores

PROTOCOL = "inter_patient"
ENSEMBLE = "ensemble"
CLEAN = "none"
NOT_JUDGED = -1
CONDITION = ["noise", "snr_db"]
SCORES = [*CONDITION, "model", "gate", "judged", "accuracy", "macro_f1_nsvf", "f1_S", "f1_V"]

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        robustness(load_params())
    except (ParamsError, RecordError, ModelFileError, FileNotFoundError) as error:
        sys.exit(f"robustness: {error}")


def robustness(params: Params) -> None:
    """Judge every record of DS2 under every condition, and write the scores."""
    database = params.download.resolved_database
    jobs = [joblib.delayed(judge_record)(params, paths.RAW / database.name, record) for record in database.ds2]
    parts = joblib.Parallel(n_jobs=-1, return_as="generator")(jobs)
    judged = list(tqdm(parts, total=len(jobs), desc="robustness", unit="record", disable=None))
    table = scores_of_classes(pd.concat([pairs for pairs, _ in judged]))
    detected = scores_of_detector([found for _, found in judged])
    title = f"Noise mixed into DS2: {folds.label(PROTOCOL, database.synthetic)}"
    folder = paths.METRICS / "robustness"
    folder.mkdir(parents=True, exist_ok=True)
    for name, scored in (("classes", table), ("detector", detected)):
        scored.round(6).replace(np.inf, np.nan).to_csv(folder / f"{name}.csv", index=False)  # plots know no infinity
    save_png(robustness_figure(table, detected, title), folder / "robustness.png")
    report = {
        "title": title,
        "noise": "SYNTHETIC" if database.synthetic else f"{NSTDB.name} {NSTDB.version}",
        "macro_f1_nsvf": nested(table, "macro_f1_nsvf"),
        "judged": nested(table, "judged"),
    }
    (folder / "robustness.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def judge_record(params: Params, raw: Path, record: str) -> tuple[pd.DataFrame, dict[tuple[str, float], pd.DataFrame]]:
    """Judge a record clean and with each noise at each level.

    Returns
    -------
    DataFrame, one row a condition and pair of classes
        ``noise``, ``snr_db``, ``model``, ``gate``, ``true``, ``predicted`` (-1: not judged) and ``beats``.
    dict
        Condition -> what the detector found, as :func:`stages.scores.bxb.compare` counts it.
    """
    classifiers = {name: load(paths.MODELS / PROTOCOL / f"{name}.onnx", threads=1) for name in MODELS}
    fmt = beat_format(classifiers[MODELS[0]].about["trained_on"]["fmt"])
    recording, reference = read_recording(raw, record, fmt.leads), read_annotations(raw, record, REFERENCE)
    start_s = params.evaluate.start_s
    pairs, detected = [], {}
    for noise, snr_db, signal in conditions(recording, params.robustness.snr_db, start_s):
        counted = judge_signal(recording, signal, fmt, classifiers, start_s)
        pairs.append(counted.assign(noise=noise, snr_db=snr_db))
        detected[noise, snr_db] = detector_counts(reference, signal, recording.fs, start_s)
    return pd.concat(pairs, ignore_index=True), detected


def conditions(
    recording: Recording, levels: tuple[float, ...], start_s: float
) -> Iterator[tuple[str, float, NDArray[np.float64]]]:
    """Give the signal of a record clean, and with each noise at each level."""
    yield CLEAN, np.inf, recording.signal
    for name in NSTDB.records:
        noise = read_noise(paths.NOISE, name, recording.fs)
        for snr_db in levels:
            yield name, snr_db, add_noise(recording.signal, recording.samples, noise, recording.fs, snr_db, start_s)


def read_noise(folder: Path, name: str, fs: float) -> NDArray[np.float64]:
    """Read the first channel of a noise, mV, at a sampling rate."""
    noise = wfdb.rdrecord(str(folder / name), channels=[0])
    return resample(noise.p_signal[:, 0], noise.fs, round(fs))


def judge_signal(
    recording: Recording,
    signal: NDArray[np.float64],
    fmt: BeatFormat,
    classifiers: Mapping[str, Classifier],
    start_s: float,
) -> pd.DataFrame:
    """Count the pairs of true and predicted class of each model, with and without the gate."""
    noisy = Recording(recording.record, recording.lead, recording.fs, signal, recording.samples, recording.symbols)
    windows, table = cut_beats(noisy, fmt)
    rhythm, records = table[list(FEATURES)].to_numpy(dtype=np.float32), table["record"].to_numpy()
    truth = aami.class_indices(recording.symbols)
    scored = table["time_s"].to_numpy() >= start_s
    problems = find_problems(signal, recording.fs)
    clear = unreadable_beats(problems, recording.samples, windows, fmt.times_s) == ""
    counted = []
    for gate, readable in ((False, np.ones_like(clear)), (True, clear)):
        given = {
            name: classifier.predict(windows[readable], rhythm[readable], records[readable])
            for name, classifier in classifiers.items()
        }
        given[ENSEMBLE] = np.mean(list(given.values()), axis=0)
        for name, probabilities in given.items():
            predicted = np.full(len(truth), NOT_JUDGED)
            predicted[readable] = probabilities.argmax(axis=1)
            pairs = pd.DataFrame({"true": truth[scored], "predicted": predicted[scored]})
            counts = pairs.value_counts().rename("beats").reset_index()
            counted.append(counts.assign(model=name, gate=gate))
    return pd.concat(counted, ignore_index=True)


def scores_of_classes(pairs: pd.DataFrame) -> pd.DataFrame:
    """Score each condition, model and gate over all records.

    Parameters
    ----------
    pairs : DataFrame
        From :func:`judge_record`.

    Returns
    -------
    DataFrame
        ``noise``, ``snr_db`` (infinite: clean), ``model``, ``gate``, ``judged`` (share of the beats), and of the judged
        ``accuracy``, ``macro_f1_nsvf``, ``f1_S``, ``f1_V`` (NaN where none was judged).
    """
    rows = []
    for (noise, snr_db, model, gate), of_one in pairs.groupby([*CONDITION, "model", "gate"], sort=False):
        judged = of_one[of_one["predicted"] != NOT_JUDGED]
        row = {"noise": noise, "snr_db": snr_db, "model": model, "gate": gate}
        row["judged"] = judged["beats"].sum() / of_one["beats"].sum()
        if len(judged):
            scores = beat_scores(*(np.repeat(judged[name], judged["beats"]) for name in ("true", "predicted")))
            row |= {name: scores[name] for name in ("accuracy", "macro_f1_nsvf")}
            row |= {f"f1_{name}": scores[f"f1_{name}"] for name in "SV"}
        rows.append(row)
    return pd.DataFrame(rows, columns=SCORES)


def scores_of_detector(found: list[dict[tuple[str, float], pd.DataFrame]]) -> pd.DataFrame:
    """Give sensitivity and positive predictivity of the detector under each condition."""
    rows = []
    for noise, snr_db in found[0]:
        qrs = ec57_scores({str(n): one[noise, snr_db] for n, one in enumerate(found)})["gross"]["qrs"]
        rows.append({"noise": noise, "snr_db": snr_db, "qrs_se": qrs["se"], "qrs_ppv": qrs["ppv"]})
    return pd.DataFrame(rows)


def nested(table: pd.DataFrame, score: str) -> dict[str, Any]:
    """Arrange a score as noise, model, level: with the gate where the name of the level says so."""
    report: dict[str, Any] = {}
    for row in table.to_dict("records"):
        level = "clean" if np.isinf(row["snr_db"]) else f"{row['snr_db']:g} dB"
        name = f"{level}, gated" if row["gate"] else level
        value = None if pd.isna(row[score]) else row[score]
        report.setdefault(row["noise"], {}).setdefault(row["model"], {})[name] = value
    return report


if __name__ == "__main__":
    main()
