"""Score the inter-patient networks on DS2 with recorded noise mixed in, with and without the gate for bad signal.

Raw records, ``data/noise/`` and ``models/inter_patient/*.onnx`` in; the headlines ``metrics/robustness.json`` and the
tables in ``metrics/robustness/`` out. Beats are classified at their annotated fiducials, from where the noise begins;
how the detector fares is a table of its own.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import wfdb
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import DESIGN_PROTOCOL, MODELS, Params
from stages.config.progress import side_by_side
from stages.config.runner import run_stage
from stages.ecg import aami, folds
from stages.ecg.annotations import read_annotations
from stages.ecg.beat_format import FEATURES, BeatFormat
from stages.ecg.beats import cut_beats, resample
from stages.ecg.beatset import beat_format
from stages.ecg.databases import NSTDB
from stages.ecg.noise import add_noise
from stages.ecg.quality import find_problems, unreadable_beats
from stages.ecg.recordings import RecordError, Recording, read_recording
from stages.files.writing import write_json
from stages.inference.annotated_records import REFERENCE
from stages.inference.detector import detector_counts
from stages.nets.classifying import Classifier, ModelFileError
from stages.nets.runtimes import load
from stages.scores.ec57 import GROSS, ec57_summary
from stages.scores.headlines import rounded
from stages.scores.per_beat import beat_scores

ENSEMBLE = "ensemble"
CLEAN = "none"
NOT_CLASSIFIED = -1
CONDITION = ["noise", "snr_db"]
SCORES = [*CONDITION, "model", "gate", "classified", "accuracy", "macro_f1_nsvf", "f1_S", "f1_V"]


def robustness(params: Params) -> None:
    """Classify every record of DS2 under every condition, and write the scores."""
    database, folder = params.download.resolved_database, paths.METRICS / "robustness"
    jobs = (joblib.delayed(classify_with_noise)(params, paths.RAW / database.name, record) for record in database.ds2)
    results = side_by_side(jobs, "robustness", database.ds2)
    classes = class_scores(pd.concat([pairs for pairs, _ in results]))
    detector = detector_scores([counts for _, counts in results])
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("classes", classes), ("detector", detector)):
        table.round(6).replace(np.inf, np.nan).to_csv(folder / f"{name}.csv", index=False)  # plots know no infinity
    title = f"Noise mixed into DS2: {folds.label(DESIGN_PROTOCOL, database.synthetic)}"
    noise = "SYNTHETIC" if database.synthetic else f"{NSTDB.name} {NSTDB.version}"
    write_json(folder / "about.json", {"title": title, "noise": noise})
    write_json(folder.with_name(f"{folder.name}.json"), mean_over_levels(classes))


def mean_over_levels(classes: pd.DataFrame) -> dict[str, float | None]:
    """Average the macro F1 of the ensemble without the gate over the levels of each noise: the headlines."""
    of_ensemble = classes[(classes["model"] == ENSEMBLE) & ~classes["gate"] & (classes["noise"] != CLEAN)]
    means = of_ensemble.groupby("noise", sort=False)["macro_f1_nsvf"].mean()
    return {f"macro_f1_nsvf_{noise}": rounded(mean) for noise, mean in means.items()}


def classify_with_noise(
    params: Params, raw: Path, record: str
) -> tuple[pd.DataFrame, dict[tuple[str, float], pd.DataFrame]]:
    """Classify the beats of a record clean and with each noise at each level.

    Returns
    -------
    DataFrame, one row a condition and pair of classes
        ``noise``, ``snr_db``, ``model``, ``gate``, ``true``, ``predicted`` (-1: not classified) and ``beats``.
    dict
        Condition -> what the detector found, as :func:`stages.scores.bxb.compare` counts it.
    """
    classifiers = {name: load(paths.MODELS / DESIGN_PROTOCOL / f"{name}.onnx", threads=1) for name in MODELS}
    fmt = beat_format(classifiers[MODELS[0]].about["trained_on"]["fmt"])
    recording, reference = read_recording(raw, record, fmt.leads), read_annotations(raw, record, REFERENCE)
    start_s = params.evaluate.start_s
    pairs, detected = [], {}
    for noise, snr_db, noisy in conditions(recording, params.robustness.snr_db, start_s):
        counted = count_pairs(noisy, fmt, classifiers, start_s)
        pairs.append(counted.assign(noise=noise, snr_db=snr_db))
        detected[noise, snr_db] = detector_counts(reference, noisy.signal, noisy.fs, start_s)
    return pd.concat(pairs, ignore_index=True), detected


def conditions(
    recording: Recording, levels: tuple[float, ...], start_s: float
) -> Iterator[tuple[str, float, Recording]]:
    """Give a recording clean, and with each noise at each level."""
    yield CLEAN, np.inf, recording
    for name in NSTDB.records:
        noise = read_noise(paths.NOISE, name, recording.fs)
        for snr_db in levels:
            yield name, snr_db, add_noise(recording, noise, snr_db, start_s)


def read_noise(folder: Path, name: str, fs: float) -> NDArray[np.float64]:
    """Read the first channel of a noise, mV, at a sampling rate."""
    noise = wfdb.rdrecord(str(folder / name), channels=[0])
    return resample(noise.p_signal[:, 0], noise.fs, round(fs))


def count_pairs(
    recording: Recording, fmt: BeatFormat, classifiers: Mapping[str, Classifier], start_s: float
) -> pd.DataFrame:
    """Count the pairs of true and predicted class of each model, with and without the gate."""
    windows, table = cut_beats(recording, fmt)
    rhythm, records = table[list(FEATURES)].to_numpy(dtype=np.float32), table["record"].to_numpy()
    truth = aami.class_indices(recording.symbols)
    scored = table["time_s"].to_numpy() >= start_s
    problems = find_problems(recording.signal, recording.fs)
    clear = unreadable_beats(problems, recording.samples, windows, fmt.times_s) == ""
    counts = []
    for gate, readable in ((False, np.ones_like(clear)), (True, clear)):
        by_model = {
            name: classifier.predict(windows[readable], rhythm[readable], records[readable])
            for name, classifier in classifiers.items()
        }
        by_model[ENSEMBLE] = np.mean(list(by_model.values()), axis=0)
        for name, probabilities in by_model.items():
            predicted = np.full(len(truth), NOT_CLASSIFIED)
            predicted[readable] = probabilities.argmax(axis=1)
            pairs = pd.DataFrame({"true": truth[scored], "predicted": predicted[scored]})
            counts.append(pairs.value_counts().rename("beats").reset_index().assign(model=name, gate=gate))
    return pd.concat(counts, ignore_index=True)


def class_scores(pairs: pd.DataFrame) -> pd.DataFrame:
    """Score each condition, model and gate over all records.

    Parameters
    ----------
    pairs : DataFrame
        From :func:`classify_with_noise`.

    Returns
    -------
    DataFrame
        ``noise``, ``snr_db`` (infinite: clean), ``model``, ``gate``, ``classified`` (share of the beats), and of the
        classified beats ``accuracy``, ``macro_f1_nsvf``, ``f1_S``, ``f1_V`` (NaN where there is none).
    """
    rows = []
    for (noise, snr_db, model, gate), of_one in pairs.groupby([*CONDITION, "model", "gate"], sort=False):
        classified = of_one[of_one["predicted"] != NOT_CLASSIFIED]
        row = {"noise": noise, "snr_db": snr_db, "model": model, "gate": gate}
        row["classified"] = classified["beats"].sum() / of_one["beats"].sum()
        if len(classified):
            scores = beat_scores(*(np.repeat(classified[name], classified["beats"]) for name in ("true", "predicted")))
            row |= {name: scores[name] for name in SCORES if name in scores}
        rows.append(row)
    return pd.DataFrame(rows, columns=SCORES)


def detector_scores(counts: list[dict[tuple[str, float], pd.DataFrame]]) -> pd.DataFrame:
    """Give sensitivity and positive predictivity of the detector under each condition, all records pooled."""
    rows = []
    for noise, snr_db in counts[0]:
        summary = ec57_summary({str(number): of_record[noise, snr_db] for number, of_record in enumerate(counts)})
        gross = summary[summary["kind"] == GROSS].iloc[0]
        rows.append({"noise": noise, "snr_db": snr_db, "qrs_se": gross["qrs_se"], "qrs_ppv": gross["qrs_ppv"]})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run_stage(robustness, errors=(RecordError, ModelFileError))
