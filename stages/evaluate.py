"""Score one network on the test fold of its protocol.

``models/<protocol>/<model>.keras``, ``data/balanced/<protocol>/test/`` and the raw records in;
``metrics/<protocol>/<model>.json``, its curves and tables in ``metrics/<protocol>/<model>/``, the probabilities of
every test beat in ``data/predictions/<protocol>/<model>.parquet`` and the classes as WFDB annotation files in
``data/annotations/<protocol>/<model>/`` out.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Evaluate, ParamsError, load_params
from stages.ecg import aami, folds
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import BeatSet, beat_format, read_beats
from stages.ecg.recordings import RecordError, read_recording
from stages.figures import scores as figures
from stages.figures.style import save_png
from stages.inference.annotated_records import ec57_views, read_references, write_predicted
from stages.nets.classifying import Classifier, ModelFileError
from stages.nets.runtimes import load
from stages.scores import curves, per_beat

SHOWN_MISTAKES = 12
MISTAKES_OF_A_RECORD = 2
APART_S = 5.0
"""Mistakes of one record that are shown are at least so far apart, so that each strip shows something else."""

STRIP_S = 2.5

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("model", choices=MODELS)
    arguments = parser.parse_args()
    try:
        evaluate(arguments.protocol, arguments.model, load_params().evaluate)
    except (ParamsError, ModelFileError, RecordError, FileNotFoundError) as error:
        sys.exit(f"evaluate: {error}")


def evaluate(protocol: str, name: str, settings: Evaluate) -> None:
    """Classify every test beat, score, and write."""
    classifier = load(paths.MODELS / protocol / f"{name}.keras")
    beats = read_beats(paths.BALANCED / protocol / "test")
    require_same_beats(classifier, beats)
    probabilities = classifier.predict(beats.signals, beats.rhythm, beats.table["record"])
    label = folds.label(protocol, beats.about.synthetic)

    path = paths.PREDICTIONS / protocol / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions(beats, probabilities).to_parquet(path, index=False)

    raw, annotated = paths.RAW / beats.about.database, paths.ANNOTATIONS / protocol / name
    references = read_references(raw, beats.table)
    write_predicted(annotated, name, beats.table, probabilities.argmax(axis=1), references)
    ec57, ec57_records = ec57_views(references, annotated, name, settings.start_s)
    report = {
        "protocol": label,
        "database": f"{beats.about.database} {beats.about.version}",
        **scores(beats.labels, probabilities),
        "ec57": ec57,
    }
    metrics = paths.METRICS / protocol
    metrics.mkdir(parents=True, exist_ok=True)
    (metrics / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    title = f"{name.upper()}, {label}"
    write_plots(metrics / name, beats, probabilities, title)
    write_mistakes(metrics / name, beats, probabilities, raw, title)
    ec57_records.round(6).to_csv(metrics / name / "ec57_records.csv", index=False)
    log.info(
        "%s, %s: accuracy %.4f (all-N baseline %.4f), macro F1 N S V F %.4f",
        *(name, label, report["accuracy"], report["baseline_accuracy"], report["macro_f1_nsvf"]),
    )


def require_same_beats(classifier: Classifier, beats: BeatSet) -> None:
    """Refuse beats that were cut in another way than those the network learned from.

    Raises
    ------
    ModelFileError
    """
    learned = beat_format(classifier.about["trained_on"]["fmt"])
    if learned != beats.about.fmt or classifier.about["rhythm_features"] != list(FEATURES):
        raise ModelFileError(
            f"the network was trained on beats cut as {learned}, these are cut as {asdict(beats.about.fmt)}; "
            "run `dvc repro` so that both come from the same params.yaml"
        )


def predictions(beats: BeatSet, probabilities: NDArray[np.float32]) -> pd.DataFrame:
    """Put the probabilities of the classes beside the beats they belong to."""
    table = beats.table[["record", "subject", "sample", "time_s", "aami"]]
    return pd.concat([table, pd.DataFrame(probabilities, columns=list(aami.PROBABILITY_COLUMNS))], axis=1)


def scores(truth: NDArray[np.integer], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """Score by the measures that count all beats alike, and how far the probabilities can be believed."""
    return {
        **per_beat.beat_scores(truth, probabilities.argmax(axis=1)),
        "baseline_accuracy": per_beat.majority_baseline(truth),
        "areas": curves.areas(truth, probabilities),
        "expected_calibration_error": curves.expected_calibration_error(truth, probabilities),
        "mapping": "e and j in N",
    }


def write_plots(folder: Path, beats: BeatSet, probabilities: NDArray[np.float32], title: str) -> None:
    """Write the curves, the confusion, the per-record table and the mean beats as CSV for DVC, and as pictures."""
    truth, predicted = beats.labels, probabilities.argmax(axis=1)
    folder.mkdir(parents=True, exist_ok=True)
    roc, pr = curves.roc_points(truth, probabilities), curves.pr_points(truth, probabilities)
    reliability = curves.calibration_points(truth, probabilities)
    error = curves.expected_calibration_error(truth, probabilities)
    records = per_beat.record_table(beats.table["record"].to_numpy(), truth, predicted)
    per_beat.confusion_pairs(truth, predicted).to_csv(folder / "confusion.csv", index=False)
    roc.to_csv(folder / "roc.csv", index=False)
    pr.to_csv(folder / "pr.csv", index=False)
    reliability.to_csv(folder / "reliability.csv", index=False)
    records.round(6).to_csv(folder / "records.csv", index=False)
    means, counts = mean_of_pairs(beats.signals, truth, predicted)
    fmt = beats.about.fmt
    drawn = {
        "confusion": figures.confusion_figure(per_beat.confusion(truth, predicted), title),
        "roc": figures.roc_figure(roc, title),
        "pr": figures.pr_figure(pr, title),
        "reliability": figures.reliability_figure(reliability, error, title),
        "records": figures.record_heatmap(records, title),
        "pairs": figures.pairs_figure(means, counts, fmt.times_s, title, fmt.unit),
    }
    for name, figure in drawn.items():
        save_png(figure, folder / f"{name}.png")


def mean_of_pairs(
    signals: NDArray[np.float32], truth: NDArray[np.integer], predicted: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average the first channel of the beats of each pair of true and predicted class.

    Returns
    -------
    means : ndarray of float64, shape (5, 5, samples)
        NaN where there is no such beat.
    counts : ndarray of int64, shape (5, 5)
    """
    counts = per_beat.confusion(truth, predicted).to_numpy()
    means = np.full((*counts.shape, signals.shape[1]), np.nan)
    for row, column in zip(*np.nonzero(counts), strict=True):
        chosen = (truth == row) & (predicted == column)
        means[row, column] = signals[chosen, :, 0].mean(axis=0, dtype=np.float64)
    return means, counts


def write_mistakes(folder: Path, beats: BeatSet, probabilities: NDArray[np.float32], raw: Path, title: str) -> None:
    """Write the most confidently wrong beats, a few of each record, and draw the rhythm around them."""
    worst = mistakes(beats.table, beats.labels, probabilities)
    worst.round(6).to_csv(folder / "mistakes.csv", index=False)
    strips = []
    for beat in worst.to_dict("records"):
        recording, at = read_recording(raw, beat["record"], (beat["lead"],)), beat["time_s"]
        first = max(0, round((at - STRIP_S) * recording.fs))
        end = min(len(recording.signal), round((at + STRIP_S) * recording.fs))
        inside = (recording.samples >= first) & (recording.samples < end)
        called = f"{beat['true']}→{beat['predicted']}"
        samples, symbols = recording.samples[inside], recording.symbols[inside]
        strips.append(
            figures.Strip(
                times_s=np.arange(first, end) / recording.fs - at,
                signal_mv=recording.signal[first:end],
                beat_times_s=samples / recording.fs - at,
                symbols=[
                    called if s == beat["sample"] else str(symbol) for s, symbol in zip(samples, symbols, strict=True)
                ],
                caption=f"{beat['record']} at {at:.1f} s: {called} with {beat['confidence']:.3f}",
            )
        )
    times_s = beats.about.fmt.times_s
    drawn = figures.strips_figure(strips, (times_s[0], times_s[-1]), f"Most confidently wrong: {title}")
    save_png(drawn, folder / "mistakes.png")


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
    main()
