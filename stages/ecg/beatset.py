"""A set of beats on disk: ``signals.npy``, ``beats.parquet`` and ``about.json`` in one folder."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg import aami
from stages.ecg.beat_format import FEATURES, BeatFormat
from stages.files.writing import read_json, replacing, write_json


@dataclass(frozen=True)
class About:
    """Where a set of beats comes from and how it was cut.

    Attributes
    ----------
    database, version : str
    synthetic : bool
        Whether the signals were made up.
    fmt : BeatFormat
    """

    database: str
    version: str
    synthetic: bool
    fmt: BeatFormat


@dataclass(frozen=True)
class BeatSet:
    """Beats in memory or mapped from disk.

    Attributes
    ----------
    signals : ndarray of float32, shape (beats, samples, channels)
    table : DataFrame, one row a beat
        As :func:`stages.ecg.beats.cut_beats` makes it, with ``subject``.
    about : About
    """

    signals: NDArray[np.float32]
    table: pd.DataFrame
    about: About

    @property
    def rhythm(self) -> NDArray[np.float32]:
        """RR features, shape (beats, features)."""
        return self.table[list(FEATURES)].to_numpy(dtype=np.float32)

    @property
    def labels(self) -> NDArray[np.int8]:
        """Positions of the true classes in ``aami.CLASSES``, shape (beats,)."""
        return pd.Categorical(self.table["aami"], categories=list(aami.CLASSES)).codes

    def take(self, chosen: NDArray[np.bool_]) -> "BeatSet":
        """Copy the chosen beats."""
        return BeatSet(self.signals[chosen], self.table[chosen].reset_index(drop=True), self.about)


def read_beats(folder: Path) -> BeatSet:
    """Read a set of beats; the signals are mapped into memory, not loaded.

    Raises
    ------
    FileNotFoundError
        If the folder lacks one of the three files.
    ValueError
        If table and signals disagree on the number of beats.
    """
    for name in ("signals.npy", "beats.parquet", "about.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing; run `dvc repro` to make it")
    signals = np.load(folder / "signals.npy", mmap_mode="r", allow_pickle=False)
    table = pd.read_parquet(folder / "beats.parquet")
    if len(table) != len(signals):
        raise ValueError(f"{folder}: {len(table)} rows in beats.parquet, {len(signals)} beats in signals.npy")
    about = read_json(folder / "about.json")
    return BeatSet(signals, table, About(**{**about, "fmt": beat_format(about["fmt"])}))


def beat_format(fields: dict[str, Any]) -> BeatFormat:
    """Make a format of what JSON has kept of one."""
    restored: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return BeatFormat(**restored)


def write_beats(folder: Path, about: About, parts: Iterable[tuple[NDArray[np.float32], pd.DataFrame]]) -> pd.DataFrame:
    """Write a set of beats part by part, so that only one part need be in memory.

    The folder appears, or replaces an older one, when all of it is written.

    Parameters
    ----------
    folder : Path
    about : About
    parts : iterable of (signals, table)

    Returns
    -------
    DataFrame
        The whole table.
    """
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        table = _write_signals(unfinished / "signals.npy", about.fmt.shape, parts)
        table.to_parquet(unfinished / "beats.parquet", index=False)
        write_json(unfinished / "about.json", asdict(about))
    return table


def _write_signals(
    path: Path, shape: tuple[int, int], parts: Iterable[tuple[NDArray[np.float32], pd.DataFrame]]
) -> pd.DataFrame:
    tables = []
    with path.open("wb") as file:
        _write_header(file, 0, shape)
        for signals, table in parts:
            file.write(np.ascontiguousarray(signals, dtype="<f4").data)
            tables.append(table)
        joined = pd.concat(tables, ignore_index=True)
        file.seek(0)
        _write_header(file, len(joined), shape)
    return joined


def _write_header(file: BinaryIO, beats: int, shape: tuple[int, int]) -> None:
    # NumPy pads the header so that the first axis can grow without moving the data.
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (beats, *shape)})
