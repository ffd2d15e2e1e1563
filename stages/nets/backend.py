"""Keras and TensorFlow, with their errors, but without their remarks."""

from stages.nets.quiet import quiet

with quiet():
    import keras
    import tensorflow as tf

# Each trial of a search builds a graph anew, of which TensorFlow warns as if one network were traced again and again.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
