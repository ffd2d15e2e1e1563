"""What the tests of the readers write to files, and how they read it: ten seconds of two leads."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.readers.source import open_source
from tests.made_up import two_leads

FS = 250
TIMES, ECG, OTHER = two_leads(FS)


def write_csv(path: Path, separator=",", **columns) -> Path:
    pd.DataFrame(columns).to_csv(path, sep=separator, index=False)
    return path


def samples(path: Path, **options) -> np.ndarray:
    with open_source(path, **options) as source:
        return source.read(0, source.length)
