"""Write one network for other runtimes, ONNX and LiteRT, and compare each with Keras on the test fold.

``models/<protocol>/<model>.keras`` and the beats in; ``models/<protocol>/<model>.onnx`` (in Git, so that a clone can
predict), ``<model>.tflite`` and ``<model>.int8.tflite`` and ``metrics/export/<protocol>_<model>.json`` out.
"""

import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Export, Params
from stages.config.runner import run_stage
from stages.ecg.beatset import BeatSet, read_beats
from stages.files.writing import replacing, write_json
from stages.nets.classifying import Classifier, ModelFileError
from stages.nets.exporting import to_litert, to_onnx
from stages.nets.runtimes import load
from stages.nets.saving import load_network

TIMED_BEATS = 2000
"""Classified at once to tell beats per second: about half an hour of one patient."""

TIMED_ALONE = 300
"""Classified one by one to tell the latency."""

log = logging.getLogger(__name__)


def export(params: Params, protocol: str, model: str) -> None:
    """Convert, write and check."""
    folder = paths.MODELS / protocol
    network, about = load_network(folder / f"{model}.keras")
    beats = calibration_beats(read_beats(paths.BALANCED / protocol / "train"), params.export)
    exported = {
        "onnx": (f"{model}.onnx", to_onnx(network, about)),
        "litert": (f"{model}.tflite", to_litert(network, about, None)),
        "litert_int8": (f"{model}.int8.tflite", to_litert(network, about, (beats.signals, beats.rhythm))),
    }
    for file, content in exported.values():
        with replacing(folder / file) as unfinished:
            unfinished.write_bytes(content)

    test = read_beats(paths.BALANCED / protocol / "test")
    reference = load(folder / f"{model}.keras")
    expected = reference.predict(test.signals, test.rhythm, test.table["record"])
    report = {
        kind: {"bytes": len(content), **compared(load(folder / file, threads=1), test, expected)}
        for kind, (file, content) in exported.items()
    }
    write_json(paths.METRICS / "export" / f"{protocol}_{model}.json", report)
    for kind, of_file in report.items():
        log.info(
            "%s %s, %s: %.0f kB, %.4f of the classes as Keras has them, probabilities within %.2g, %d beats/s",
            *(protocol, model, kind, of_file["bytes"] / 1000),
            *(of_file[name] for name in ("agreement", "largest_difference", "beats_per_second")),
        )


def calibration_beats(train: BeatSet, settings: Export) -> BeatSet:
    """Draw training beats, as many of each class as there are up to an equal share, for the ranges of integers."""
    rng = np.random.default_rng(settings.seed)
    chosen = np.zeros(len(train.labels), dtype=bool)
    classes = np.unique(train.labels)
    for label in classes:
        rows = np.flatnonzero(train.labels == label)
        chosen[rng.permutation(rows)[: -(-settings.calibration_beats // len(classes))]] = True
    return train.take(chosen)


def compared(classifier: Classifier, test: BeatSet, expected: NDArray[np.float32]) -> dict[str, Any]:
    """Compare with what Keras gives, beat by beat, and time the network alone; loaded for one thread, it is one core.

    Adapting the probabilities to the recording is left out of the times: NumPy does that, on all cores.
    """
    probabilities = classifier.predict(test.signals, test.rhythm, test.table["record"])
    some = slice(0, TIMED_BEATS)
    seconds = seconds_of(classifier, test, some)
    alone = [
        seconds_of(classifier, test, slice(beat, beat + 1)) for beat in range(min(len(probabilities), TIMED_ALONE))
    ]
    return {
        "agreement": float(np.mean(probabilities.argmax(axis=1) == expected.argmax(axis=1))),
        "largest_difference": float(np.abs(probabilities - expected).max()),
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
    run_stage(export, errors=(ModelFileError,), protocol=PROTOCOLS, model=MODELS)
