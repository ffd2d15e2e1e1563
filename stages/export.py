"""Write one network for other runtimes, ONNX and LiteRT, and hold each against Keras on the test fold.

``models/<protocol>/<model>.keras`` and the beats in; ``models/<protocol>/<model>.onnx`` (in Git, so that a clone can
predict), ``<model>.tflite`` and ``<model>.int8.tflite`` and ``metrics/export/<protocol>_<model>.json`` out.
"""

import argparse
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Export, ParamsError, load_params
from stages.ecg.beatset import BeatSet, read_beats
from stages.nets.classifying import Classifier, ModelFileError
from stages.nets.exporting import to_litert, to_onnx
from stages.nets.runtimes import load
from stages.nets.saving import load_network

TIMED_BEATS = 2000
"""Judged at once to tell beats per second: about half an hour of one patient."""

TIMED_ALONE = 300
"""Judged one by one to tell the latency."""

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("model", choices=MODELS)
    arguments = parser.parse_args()
    try:
        export(arguments.protocol, arguments.model, load_params().export)
    except (ParamsError, ModelFileError, FileNotFoundError) as error:
        sys.exit(f"export: {error}")


def export(protocol: str, name: str, settings: Export) -> None:
    """Convert, write and check."""
    folder = paths.MODELS / protocol
    network, about = load_network(folder / f"{name}.keras")
    beats = calibration_beats(read_beats(paths.BALANCED / protocol / "train"), settings)
    exported = {
        "onnx": (f"{name}.onnx", to_onnx(network, about)),
        "litert": (f"{name}.tflite", to_litert(network, about, None)),
        "litert_int8": (f"{name}.int8.tflite", to_litert(network, about, (beats.signals, beats.rhythm))),
    }
    for file, content in exported.values():
        write(folder / file, content)

    test = read_beats(paths.BALANCED / protocol / "test")
    reference = load(folder / f"{name}.keras")
    expected = reference.predict(test.signals, test.rhythm, test.table["record"])
    report = {
        kind: {"bytes": len(content), **held_against(load(folder / file, threads=1), test, expected)}
        for kind, (file, content) in exported.items()
    }
    metrics = paths.METRICS / "export" / f"{protocol}_{name}.json"
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    for kind, found in report.items():
        log.info("%s %s: %s", protocol, name, {"kind": kind, **found})


def calibration_beats(train: BeatSet, settings: Export) -> BeatSet:
    """Draw training beats, as many of each class as there are up to an equal share, for the ranges of integers."""
    rng = np.random.default_rng(settings.seed)
    chosen = np.zeros(len(train.labels), dtype=bool)
    classes = np.unique(train.labels)
    for label in classes:
        rows = np.flatnonzero(train.labels == label)
        chosen[rng.permutation(rows)[: -(-settings.calibration_beats // len(classes))]] = True
    return train.take(chosen)


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def held_against(classifier: Classifier, test: BeatSet, expected: NDArray[np.float32]) -> dict[str, Any]:
    """Compare with what Keras gives, beat by beat, and time the network alone; loaded for one thread, it is one core.

    Adapting the probabilities to the recording is left out of the times: NumPy does that, on all cores.
    """
    found = classifier.predict(test.signals, test.rhythm, test.table["record"])
    some = slice(0, TIMED_BEATS)
    seconds = seconds_of(classifier, test, some)
    alone = [seconds_of(classifier, test, slice(beat, beat + 1)) for beat in range(min(len(found), TIMED_ALONE))]
    return {
        "agreement": float(np.mean(found.argmax(axis=1) == expected.argmax(axis=1))),
        "largest_difference": float(np.abs(found - expected).max()),
        "beats_per_second": round(len(test.labels[some]) / seconds),
        "latency_ms": round(1000 * float(np.median(alone)), 3),
    }


def seconds_of(classifier: Classifier, test: BeatSet, beats: slice) -> float:
    """Time the network on some beats, s."""
    signals, rhythm = np.asarray(test.signals[beats]), test.rhythm[beats]
    begun = time.perf_counter()
    classifier.run(signals, rhythm)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
