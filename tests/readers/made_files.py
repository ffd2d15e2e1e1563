"""What the tests of the readers write and read: ten seconds of two leads."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.readers.source import open_source

FS = 250
TIMES = np.arange(10 * FS) / FS
ECG = np.round(1.2 * np.exp(-(((TIMES % 1) - 0.5) ** 2) / 0.0004) + 0.1 * np.sin(TIMES), 3)
OTHER = np.round(0.3 * np.cos(TIMES), 3)


def write_csv(path: Path, separator=",", **columns) -> Path:
    pd.DataFrame(columns).to_csv(path, sep=separator, index=False)
    return path


def samples(path: Path, **options) -> np.ndarray:
    with open_source(path, **options) as source:
        return source.read(0, source.length)
