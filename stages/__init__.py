"""The stages of the pipeline, one module each, and the nouns they carry: ``ecg``, ``nets``, ``scores``."""
