"""Recordings with gaps: the samples that follow each other are stored, where each piece of them belongs is noted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.readers.leads import Read

LONGEST_GAP_S = 86_400.0
"""A recording that goes on more than a day later is two, or its clock went wrong."""


@dataclass(frozen=True)
class Piece:
    """Samples without a gap: the first of them in the file, their number, and where they are in the recording."""

    first: int
    count: int
    place: int


def settled(stored: NDArray[np.int64], places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round places to samples, each at least as far from the one before as it is in the file.

    Clocks jitter and are rounded, so places may come early by less than a sample; no two samples can be in one place.

    Parameters
    ----------
    stored : ndarray of int64, shape (marks,)
        Where samples are in the file, increasing.
    places : ndarray of float64, shape (marks,)
        Where they are in the recording by its clock, in samples.
    """
    return stored + np.maximum.accumulate(np.rint(places).astype(np.int64) - stored)


def pieces_of(stored: NDArray[np.int64], places: NDArray[np.int64], end: int) -> list[Piece]:
    """Join what follows each other without a gap; ``end`` is the number of stored samples."""
    begins = np.flatnonzero(np.diff(places - stored, prepend=-1))
    firsts = stored[begins]
    counts = np.diff(firsts, append=end)
    return [Piece(*map(int, one)) for one in zip(firsts, counts, places[begins], strict=True)]


def joined(pieces: list[Piece], stored: Read) -> Read:
    """Read across pieces, NaN between them."""

    def read(start: int, stop: int) -> NDArray[np.float64]:
        samples = np.full(stop - start, np.nan)
        for piece in pieces:
            begin, end = max(start, piece.place), min(stop, piece.place + piece.count)
            if begin < end:
                moved = piece.first - piece.place
                samples[begin - start : end - start] = stored(begin + moved, end + moved)
        return samples

    return read
