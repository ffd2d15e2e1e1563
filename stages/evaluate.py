"""Score one network on the test fold of its protocol.

``models/<protocol>/<model>.keras``, ``data/balanced/<protocol>/test/`` and the raw records in. Out come the headlines
``metrics/<protocol>/<model>.json``, everything else in the folder of that name, the probabilities of every test beat in
``data/predictions/``, the mean beats of each pair of classes in ``data/drawn_from/`` and the classes as WFDB annotation
files in ``data/annotations/``.
"""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.runner import run_stage
from stages.ecg import aami, folds
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import BeatSet, beat_format, read_beats
from stages.ecg.recordings import RecordError
from stages.files.writing import replacing, write_json
from stages.inference.annotated_records import ec57_views, read_references, write_predicted
from stages.nets.classifying import Classifier, ModelFileError
from stages.nets.runtimes import load
from stages.scores import curves, per_beat
from stages.scores.ec57 import main_figures
from stages.scores.headlines import headlines

SHOWN_MISTAKES = 12
MISTAKES_OF_A_RECORD = 2
APART_S = 5.0
"""Mistakes of one record that are listed are at least so far apart, so that each strip shows something else."""

log = logging.getLogger(__name__)


def evaluate(params: Params, protocol: str, model: str) -> None:
    """Classify every test beat, score, and write."""
    classifier = load(paths.MODELS / protocol / f"{model}.keras")
    beats = read_beats(paths.BALANCED / protocol / "test")
    require_same_beats(classifier, beats)
    probabilities = classifier.predict(beats.signals, beats.rhythm, beats.table["record"])
    label = folds.label(protocol, beats.about.synthetic)

    write_predictions(protocol, model, beats, probabilities)
    annotated = paths.ANNOTATIONS / protocol / model
    references = read_references(paths.RAW / beats.about.database, beats.table)
    write_predicted(annotated, model, beats.table, probabilities.argmax(axis=1), references)
    views, ec57_records = ec57_views(references, annotated, model, params.evaluate.start_s)
    scores = {
        "protocol": label,
        "database": f"{beats.about.database} {beats.about.version}",
        "mapping": "e and j in N",
        **beat_scores(beats.labels, probabilities),
        **main_figures(views),
    }
    folder = paths.METRICS / protocol / model
    write_json(folder.with_name(f"{model}.json"), headlines(scores))
    write_json(folder / "scores.json", scores)
    views.round(6).to_csv(folder / "ec57.csv", index=False)
    ec57_records.round(6).to_csv(folder / "ec57_records.csv", index=False)
    write_tables(folder, beats, probabilities)
    log.info(
        "%s, %s: accuracy %.4f (%.4f if every beat is called N), macro F1 (N S V F) %.4f",
        *(model, label, scores["accuracy"], scores["baseline_accuracy"], scores["macro_f1_nsvf"]),
    )


def require_same_beats(classifier: Classifier, beats: BeatSet) -> None:
    """Refuse beats that were cut in another way than those that the network was trained on.

    Raises
    ------
    ModelFileError
    """
    trained_on = beat_format(classifier.about["trained_on"]["fmt"])
    if trained_on != beats.about.fmt or classifier.about["rhythm_features"] != list(FEATURES):
        raise ModelFileError(
            f"the network was trained on beats cut as {trained_on}, these are cut as {asdict(beats.about.fmt)}; "
            "run `dvc repro` so that both come from the same params.yaml"
        )


def write_predictions(protocol: str, model: str, beats: BeatSet, probabilities: NDArray[np.float32]) -> None:
    """Write what DVC caches: the probabilities of each beat, and the mean beats of each pair of classes."""
    with replacing(paths.PREDICTIONS / protocol / f"{model}.parquet") as unfinished:
        predictions(beats, probabilities).to_parquet(unfinished, index=False)
    means = mean_beats(beats, probabilities.argmax(axis=1))
    with replacing(paths.DRAWN_FROM / protocol / f"{model}.csv") as unfinished:
        means.round(6).to_csv(unfinished, index=False)


def predictions(beats: BeatSet, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """Put the probabilities of the classes beside the beats they belong to."""
    table = beats.table[["record", "subject", "sample", "time_s", "aami"]]
    return pd.concat([table, pd.DataFrame(probabilities, columns=list(aami.PROBABILITY_COLUMNS))], axis=1)


def beat_scores(truth: NDArray[np.integer], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """Score by the measures that count all beats alike, and how far the probabilities can be believed.

    Returns
    -------
    dict
        What :func:`stages.scores.per_beat.beat_scores` gives, ``baseline_accuracy`` (every beat called N),
        ``expected_calibration_error`` and, for each class, ``roc_auc_<class>`` and ``average_precision_<class>``.
    """
    areas = curves.areas(truth, probabilities)
    return {
        **per_beat.beat_scores(truth, probabilities.argmax(axis=1)),
        "baseline_accuracy": per_beat.majority_baseline(truth),
        "expected_calibration_error": curves.expected_calibration_error(truth, probabilities),
        **{f"{area}_{name}": value for name, of_class in areas.items() for area, value in of_class.items()},
    }


def write_tables(folder: Path, beats: BeatSet, probabilities: NDArray[np.float32]) -> None:
    """Write the confusion, the curves, the scores of each record and the most confident mistakes."""
    truth, predicted = beats.labels, probabilities.argmax(axis=1)
    records = per_beat.scores_of_records(beats.table["record"].to_numpy(), truth, predicted)
    tables = {
        "confusion": per_beat.confusion_table(truth, predicted),
        "roc": curves.roc_points(truth, probabilities),
        "pr": curves.pr_points(truth, probabilities),
        "reliability": curves.calibration_points(truth, probabilities),
        "records": records.round(6),
        "mistakes": mistakes(beats.table, truth, probabilities).round(6),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def mean_beats(beats: BeatSet, predicted: NDArray[np.integer]) -> pd.DataFrame:
    """Average the first channel of the beats of each pair of true and predicted class.

    Returns
    -------
    DataFrame, one row a pair that occurs and sample
        ``actual``, ``predicted``, ``beats`` (how many), ``time_s`` (from the fiducial) and ``mean``.
    """
    truth = beats.labels
    counts = per_beat.confusion(truth, predicted).to_numpy()
    parts = []
    for row, column in zip(*np.nonzero(counts), strict=True):
        of_pair = beats.signals[(truth == row) & (predicted == column), :, 0]
        pair = {"actual": aami.CLASSES[row], "predicted": aami.CLASSES[column], "beats": counts[row, column]}
        mean = of_pair.mean(axis=0, dtype=np.float64)
        parts.append(pd.DataFrame({**pair, "time_s": beats.about.fmt.times_s, "mean": mean}))
    return pd.concat(parts, ignore_index=True)


def mistakes(table: pd.DataFrame, truth: NDArray[np.integer], probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """List the beats whose wrong class was the most probable, at most a few of each record, well apart.

    Returns
    -------
    DataFrame
        ``record``, ``lead``, ``sample``, ``time_s``, ``true``, ``predicted``, ``confidence``, the most confident first.
    """
    names, predicted = np.array(aami.CLASSES), probabilities.argmax(axis=1)
    wrong = table[["record", "lead", "sample", "time_s"]].assign(
        true=names[truth], predicted=names[predicted], confidence=probabilities.max(axis=1)
    )[predicted != truth]
    ranked = wrong.sort_values(["confidence", "record", "sample"], ascending=[False, True, True])
    taken: list[int] = []
    times: dict[str, list[float]] = {}
    for row, record, time_s in zip(ranked.index, ranked["record"], ranked["time_s"], strict=True):
        of_record = times.setdefault(record, [])
        if len(of_record) < MISTAKES_OF_A_RECORD and all(abs(time_s - other) >= APART_S for other in of_record):
            of_record.append(time_s)
            taken.append(row)
    return ranked.loc[taken[:SHOWN_MISTAKES]]


if __name__ == "__main__":
    run_stage(evaluate, errors=(ModelFileError, RecordError), protocol=PROTOCOLS, model=MODELS)
