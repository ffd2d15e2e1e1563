"""The stages of the pipeline, one module each, and the nouns they carry: ``ecg``, ``nets``, ``scores``."""

import os

# Must be set before TensorFlow is imported anywhere. Its C++ side logs harmless remarks at the level of errors on
# every fit; what matters arrives as a Python exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
