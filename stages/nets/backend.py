"""Keras and TensorFlow, without the remarks of their C++ side on the way."""

from stages.nets.quiet import quiet

with quiet():
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
