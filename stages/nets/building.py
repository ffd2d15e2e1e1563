"""The two networks. Both see a beat window and RR features and give the probabilities of the AAMI classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stages.ecg import aami
from stages.nets.backend import keras

FRAME = 3
"""Samples that the CNN takes as one step: at 360 Hz, 120 frames a second lose nothing of a QRS complex at a third
of the cost.

A convolution over frames is one over samples with this stride, and oneDNN is several times as fast at it."""

KERNELS = (4, 5, 3)
"""Lengths of the convolution kernels, in steps of what each reads: the first one spans 12 samples."""

NORM_MOMENTUM = 0.9
"""Of the moving averages of batch normalisation: a fit has few steps, and 0.99 would still lag after epochs."""

RHYTHM_LAYERS = 2
RHYTHM_UNITS = 32
"""Dense layers of the branch that the RR features have to themselves."""

UNROLL_STEPS = 32
"""Up to this many steps a recurrent layer is unrolled, which is faster on a CPU and exports to more runtimes."""


@dataclass(frozen=True)
class Inputs:
    """What the networks are fed.

    Attributes
    ----------
    beat : tuple of int
        Samples and channels of a beat window.
    center, scale : sequence of float
        Centre and scale of each rhythm feature, from the training beats.
    """

    beat: tuple[int, int]
    center: Sequence[float]
    scale: Sequence[float]


@dataclass(frozen=True)
class CnnArchitecture:
    """How a convolutional network is built.

    Attributes
    ----------
    layer_1_size, layer_2_size, layer_3_size : int
        Filters of the blocks.
    layer_FC_size : int
        Units of the dense layer.
    dropout_rate : float
    morphology_separates_s : bool
        See :func:`_classify`.
    """

    layer_1_size: int
    layer_2_size: int
    layer_3_size: int
    layer_FC_size: int
    dropout_rate: float
    morphology_separates_s: bool


@dataclass(frozen=True)
class RnnArchitecture:
    """How a recurrent network is built.

    Attributes
    ----------
    layer_type : {"gru", "lstm"}
    bidirectional : bool
    units : int
        Per direction.
    layers : int
        Recurrent layers.
    frame : int
        Samples that one step sees; the window is padded with zeros to whole frames.
    layer_FC_size : int
        Units of the dense layer.
    dropout_rate : float
    morphology_separates_s : bool
        See :func:`_classify`.
    """

    layer_type: Literal["gru", "lstm"]
    bidirectional: bool
    units: int
    layers: int
    frame: int
    layer_FC_size: int
    dropout_rate: float
    morphology_separates_s: bool


def build_cnn(inputs: Inputs, architecture: CnnArchitecture) -> keras.Model:
    """Build a convolutional network of three blocks, each convolution, batch norm, ReLU, pooling and dropout.

    The windows are images one pixel wide, because TensorFlow's fast batch normalisation wants four axes. The RR
    features have a branch of their own.

    Returns
    -------
    keras.Model
        Inputs ``beat`` (batch, samples, channels) and ``rhythm`` (batch, features), output (batch, 5).
    """
    beat, rhythm = _inputs(inputs)
    frames = _frames(beat, FRAME)
    x = keras.layers.Reshape((frames.shape[1], 1, frames.shape[2]))(frames)
    sizes = (architecture.layer_1_size, architecture.layer_2_size, architecture.layer_3_size)
    for filters, kernel in zip(sizes, KERNELS, strict=True):
        x = keras.layers.Conv2D(filters, (kernel, 1), padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=NORM_MOMENTUM)(x)
        x = keras.layers.Activation("relu")(x)
        x = keras.layers.MaxPooling2D((2, 1), padding="same")(x)
        x = keras.layers.Dropout(architecture.dropout_rate)(x)
    return _classify(inputs, beat, rhythm, keras.layers.Flatten()(x), architecture)


def build_rnn(inputs: Inputs, architecture: RnnArchitecture) -> keras.Model:
    """Build a recurrent network that reads the window in frames of several samples.

    The dense layer sees what the recurrent layers gave at every step, not at the last one alone.

    Returns
    -------
    keras.Model
        Inputs and output as of :func:`build_cnn`.
    """
    beat, rhythm = _inputs(inputs)
    x = _frames(beat, architecture.frame)
    recurrent = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[architecture.layer_type]
    for _ in range(architecture.layers):
        layer = recurrent(architecture.units, return_sequences=True, unroll=x.shape[1] <= UNROLL_STEPS)
        x = (keras.layers.Bidirectional(layer) if architecture.bidirectional else layer)(x)
        x = keras.layers.Dropout(architecture.dropout_rate)(x)
    return _classify(inputs, beat, rhythm, keras.layers.Flatten()(x), architecture)


def _inputs(inputs: Inputs) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return keras.Input(inputs.beat, name="beat"), keras.Input((len(inputs.center),), name="rhythm")


def _frames(beat: keras.KerasTensor, length: int) -> keras.KerasTensor:
    """Give a window as steps of ``length`` samples, the last one filled up with zeros."""
    _, samples, channels = beat.shape
    steps = -(-samples // length)
    padded = keras.layers.ZeroPadding1D((0, steps * length - samples))(beat)
    return keras.layers.Reshape((steps, length * channels))(padded)


def _classify(
    inputs: Inputs,
    beat: keras.KerasTensor,
    rhythm: keras.KerasTensor,
    x: keras.KerasTensor,
    architecture: CnnArchitecture | RnnArchitecture,
) -> keras.Model:
    """Add the evidence of morphology and rhythm.

    A supraventricular beat has the QRS complex of a normal one and differs from it by rhythm. Unless
    ``morphology_separates_s``, the morphology has one output for N and S together: with one for each, a network
    remembers how the few patients with many S beats look, which is of use for these patients alone.
    """
    morphology = keras.layers.Dense(architecture.layer_FC_size, activation="relu")(x)
    morphology = keras.layers.Dropout(architecture.dropout_rate)(morphology)
    if architecture.morphology_separates_s:
        of_morphology = keras.layers.Dense(len(aami.CLASSES))(morphology)
    else:
        n_or_s = keras.layers.Dense(1)(morphology)
        others = keras.layers.Dense(len(aami.CLASSES) - 2)(morphology)
        of_morphology = keras.layers.Concatenate()([n_or_s, n_or_s, others])

    timing = keras.layers.Normalization(mean=list(inputs.center), variance=[s**2 for s in inputs.scale])(rhythm)
    for _ in range(RHYTHM_LAYERS):
        timing = keras.layers.Dense(RHYTHM_UNITS, activation="relu")(timing)
    of_timing = keras.layers.Dense(len(aami.CLASSES))(timing)

    evidence = keras.layers.Add()([of_morphology, of_timing])
    probabilities = keras.layers.Activation("softmax", name="probabilities")(evidence)
    return keras.Model({"beat": beat, "rhythm": rhythm}, probabilities)


def average(members: Sequence[keras.Model], name: str) -> keras.Model:
    """Join networks of the same inputs into one that gives the mean of their probabilities."""
    first = members[0].input
    inputs = {key: keras.Input(first[key].shape[1:], name=key) for key in ("beat", "rhythm")}
    copies = []
    for number, member in enumerate(members, start=1):
        copy = keras.Model.from_config({**member.get_config(), "name": f"{name}_{number}"})
        copy.set_weights(member.get_weights())
        copies.append(copy)
    outputs = [copy(inputs) for copy in copies]
    mean = keras.layers.Average(name="probabilities")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(inputs, mean, name=name)
