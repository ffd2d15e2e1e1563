"""Networks in the formats of other runtimes: ONNX for any machine, LiteRT for phones and wearables.

A file carries what inference needs beside the network, as the ``.keras`` file does: ONNX among its metadata, LiteRT in
a ZIP archive behind the network, where TFLite's own metadata lie.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.nets.backend import keras, tf
from stages.nets.canonical import canonical
from stages.nets.quiet import quiet
from stages.nets.saving import ABOUT, EPOCH

OPSET = 18
"""Version of the ONNX operators: understood by runtimes since 2023."""

IN_FLOATS = ["ADD", "LOG", "LOGISTIC", "MUL", "SOFTMAX", "SUB"]
"""Operators that stay in floats among 8-bit integers. They weigh nothing, and scale rhythm features that differ by less
than an integer can tell."""


def to_onnx(model: keras.Model, about: dict[str, Any]) -> bytes:
    """Convert a network to ONNX, for any number of beats at a time.

    Recurrent layers are rolled up again: the file is smaller, and no slower. Equal networks give equal bytes.

    Parameters
    ----------
    model : keras.Model
        With the inputs ``beat`` and ``rhythm``.
    about : dict
        Of JSON values.
    """
    import tf2onnx  # brings TensorFlow, so it comes after the backend

    rolled = keras.Model.from_config(_with(model.get_config(), "unroll", False))
    rolled.set_weights(model.get_weights())
    function = _inference(rolled, beats=None)
    with quiet():
        converted, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET)
    converted = canonical(converted)
    onnx.helper.set_model_props(converted, {"about": json.dumps(about, sort_keys=True)})
    return converted.SerializeToString(deterministic=True)


def to_litert(
    model: keras.Model, about: dict[str, Any], calibration: tuple[NDArray[np.float32], NDArray[np.float32]] | None
) -> bytes:
    """Convert a network to LiteRT, for one beat at a time.

    Parameters
    ----------
    model : keras.Model
        With the inputs ``beat`` and ``rhythm``, its recurrent layers unrolled.
    about : dict
        Of JSON values.
    calibration : tuple of ndarray or None
        Windows and rhythm features of beats of the training folds, from which the ranges of 8-bit integers are taken;
        None keeps 32-bit floats. Inputs and outputs are floats either way, see also ``IN_FLOATS``.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with quiet():
        frozen = convert_variables_to_constants_v2(_inference(model, beats=1).get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        content = converter.convert() if calibration is None else _quantised(converter, calibration)
    behind = io.BytesIO(content)
    with zipfile.ZipFile(behind, "a") as archive:
        archive.writestr(zipfile.ZipInfo(ABOUT, EPOCH), json.dumps(about, sort_keys=True))
    return behind.getvalue()


def _quantised(
    converter: tf.lite.TFLiteConverter, calibration: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> bytes:
    """Convert to 8-bit integers, but for the operators ``IN_FLOATS``."""

    def beats() -> Iterator[list[NDArray[np.float32]]]:
        for beat, rhythm in zip(*calibration, strict=True):
            yield [beat[None], rhythm[None]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = beats
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=IN_FLOATS)
    selective = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=beats, debug_options=options
    )
    return selective.get_nondebug_quantized_model()


def _inference(model: keras.Model, beats: int | None) -> tf.types.experimental.PolymorphicFunction:
    """Make a function of a network whose scalers are constants: converters take their tensors for inputs."""
    for layer in _layers(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    signature = [
        tf.TensorSpec((beats, *model.input[name].shape[1:]), tf.float32, name=name) for name in ("beat", "rhythm")
    ]

    @tf.function(input_signature=signature)
    def probabilities(beat: tf.Tensor, rhythm: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model({"beat": beat, "rhythm": rhythm}, training=False)}

    return probabilities


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _with(config: Any, key: str, value: Any) -> Any:
    """Set a key wherever it occurs in a nested configuration."""
    if isinstance(config, dict):
        return {name: value if name == key else _with(part, key, value) for name, part in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_with(part, key, value) for part in config)
    return config
