"""Score one network on the test fold of its protocol.

``models/<protocol>/<model>.keras`` and ``data/balanced/<protocol>/test/`` in; ``metrics/<protocol>/<model>.json``,
its curves and tables in ``metrics/<protocol>/<model>/`` and the probabilities of every test beat in
``data/predictions/<protocol>/<model>.parquet`` out.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages import paths
from stages.ecg import aami, folds
from stages.ecg.beats import FEATURES
from stages.ecg.beatset import BeatSet, beat_format, read_beats
from stages.nets.saving import Classifier, ModelFileError, load_classifier
from stages.params import MODELS, PROTOCOLS, Evaluate, ParamsError, load_params
from stages.scores import curves, ec57, figures, plain
from stages.scores.style import save_png

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("model", choices=MODELS)
    arguments = parser.parse_args()
    try:
        evaluate(arguments.protocol, arguments.model, load_params().evaluate)
    except (ParamsError, ModelFileError, FileNotFoundError) as error:
        sys.exit(f"evaluate: {error}")


def evaluate(protocol: str, name: str, settings: Evaluate) -> None:
    """Classify every test beat, score, and write."""
    classifier = load_classifier(paths.MODELS / protocol / f"{name}.keras")
    beats = read_beats(paths.BALANCED / protocol / "test")
    require_same_beats(classifier, beats)
    probabilities = classifier.predict(beats.signals, beats.rhythm, beats.table["record"])
    label = folds.label(protocol, beats.about.synthetic)

    path = paths.PREDICTIONS / protocol / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    predictions(beats, probabilities).to_parquet(path, index=False)

    report = {
        "protocol": label,
        "database": f"{beats.about.database} {beats.about.version}",
        **scores(beats.table, beats.labels, probabilities, settings.start_s),
    }
    metrics = paths.METRICS / protocol
    metrics.mkdir(parents=True, exist_ok=True)
    (metrics / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    write_plots(metrics / name, beats, probabilities, settings.start_s, f"{name.upper()}, {label}")
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


def scores(
    table: pd.DataFrame, truth: NDArray[np.integer], probabilities: NDArray[np.float32], start_s: float
) -> dict[str, object]:
    """Score by the plain measures over all beats and by AAMI EC57 from ``start_s`` on."""
    predicted = probabilities.argmax(axis=1)
    times_s, records = table["time_s"].to_numpy(), table["record"].to_numpy()
    return {
        **plain.plain_scores(truth, predicted),
        "baseline_accuracy": plain.majority_baseline(truth),
        "areas": curves.areas(truth, probabilities),
        "ec57": ec57.ec57_scores(truth, predicted, times_s, records, start_s),
        "mapping": "e and j in N",
    }


def write_plots(folder: Path, beats: BeatSet, probabilities: NDArray[np.float32], start_s: float, title: str) -> None:
    """Write the curves, the confusion and the per-record tables as CSV for DVC, and as pictures."""
    truth, predicted, table = beats.labels, probabilities.argmax(axis=1), beats.table
    folder.mkdir(parents=True, exist_ok=True)
    roc, pr = curves.roc_points(truth, probabilities), curves.pr_points(truth, probabilities)
    records = plain.record_table(table["record"].to_numpy(), truth, predicted)
    scored = ec57.ec57_table(truth, predicted, table["time_s"].to_numpy(), table["record"].to_numpy(), start_s)
    plain.confusion_pairs(truth, predicted).to_csv(folder / "confusion.csv", index=False)
    roc.to_csv(folder / "roc.csv", index=False)
    pr.to_csv(folder / "pr.csv", index=False)
    records.round(6).to_csv(folder / "records.csv", index=False)
    scored.round(6).to_csv(folder / "ec57_records.csv", index=False)
    save_png(figures.confusion_figure(plain.confusion(truth, predicted), title), folder / "confusion.png")
    save_png(figures.roc_figure(roc, title), folder / "roc.png")
    save_png(figures.pr_figure(pr, title), folder / "pr.png")
    save_png(figures.record_heatmap(records, title), folder / "records.png")


if __name__ == "__main__":
    main()
