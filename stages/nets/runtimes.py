"""Trained networks loaded for inference by ONNX Runtime, LiteRT or Keras; only the last imports TensorFlow."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.nets.classifying import Classifier, ModelFileError, adaptation_of
from stages.nets.quiet import quiet

AT_ONCE = 4096
"""Beats that Keras classifies at a time, so that memory does not grow with their number."""

MODEL_SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "keras": ".keras"}
"""Ending of the model file that each runtime takes."""


def load(path: Path, threads: int = 0) -> Classifier:
    """Load a model file; its ending tells the runtime. No code of the file is run.

    Parameters
    ----------
    path : Path
        ``.onnx``, ``.tflite`` or ``.keras``, written by the export and the train stage.
    threads : int
        That ONNX Runtime or LiteRT use; 0 leaves it to them.

    Raises
    ------
    ModelFileError
        If the file is missing, not of this pipeline or of an earlier version of it.
    """
    if not path.is_file():
        raise ModelFileError(f"{path} is missing; run `dvc repro` or `dvc pull`")
    loaders: dict[str, Callable[[Path, int], Classifier]] = {".onnx": _onnx, ".tflite": _litert, ".keras": _keras}
    try:
        loader = loaders[path.suffix]
    except KeyError:
        raise ModelFileError(f"{path} is no model file; expected one of {', '.join(loaders)}") from None
    classifier = loader(path, threads)
    adaptation_of(classifier.about, str(path))
    return classifier


def _onnx(path: Path, threads: int) -> Classifier:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        about = json.loads(session.get_modelmeta().custom_metadata_map["about"])
    except Exception as error:  # ONNX Runtime has a class of its own for each way to fail
        raise ModelFileError(f"{path} is no classifier of this pipeline ({error}); export it again") from error

    def run(signals: NDArray[np.float32], rhythm: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run(["probabilities"], {"beat": signals, "rhythm": rhythm})[0]

    return Classifier(run, about)


def _litert(path: Path, threads: int) -> Classifier:
    from ai_edge_litert.interpreter import Interpreter

    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("about.json"))
        with quiet():
            interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads or None)
            interpreter.allocate_tensors()
    except Exception as error:
        raise ModelFileError(f"{path} is no classifier of this pipeline ({error}); export it again") from error
    by_rank = {len(tensor["shape"]): tensor["index"] for tensor in interpreter.get_input_details()}
    output = interpreter.get_output_details()[0]["index"]

    def run(signals: NDArray[np.float32], rhythm: NDArray[np.float32]) -> NDArray[np.float32]:
        probabilities = np.empty((len(signals), len(about["classes"])), dtype=np.float32)
        for beat in range(len(signals)):
            interpreter.set_tensor(by_rank[3], signals[beat : beat + 1])
            interpreter.set_tensor(by_rank[2], rhythm[beat : beat + 1])
            interpreter.invoke()
            probabilities[beat] = interpreter.get_tensor(output)[0]
        return probabilities

    return Classifier(run, about)


def _keras(path: Path, _: int) -> Classifier:
    from stages.nets.backend import tf  # takes seconds to import, and Keras behind it
    from stages.nets.saving import load_network

    network, about = load_network(path)

    # One graph for any number of beats: `network.predict` traces one for the first number it meets and another for the
    # rest, and TensorFlow optimises them differently, so that the last bits would depend on what was classified before.
    @tf.function(
        input_signature=[{tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in network.inputs}],
        autograph=False,
    )
    def classify(inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return network(inputs, training=False)

    def run(signals: NDArray[np.float32], rhythm: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = range(0, max(1, len(signals)), AT_ONCE)
        parts = [classify({"beat": signals[i : i + AT_ONCE], "rhythm": rhythm[i : i + AT_ONCE]}) for i in starts]
        return np.concatenate([part.numpy() for part in parts])

    return Classifier(run, about)
