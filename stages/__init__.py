"""The stages of the pipeline, one module each, and the nouns they carry: ``ecg``, ``nets``, ``scores``."""

import os

# Must be set before TensorFlow is imported anywhere. Its C++ side logs harmless remarks at the level of errors on
# every fit; what matters arrives as a Python exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# One thread a network: these networks are too small to gain from two, the results do not depend on the number of cores,
# and the members of an ensemble are fitted side by side instead.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
