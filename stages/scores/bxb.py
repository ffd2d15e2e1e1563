"""Beat-by-beat comparison of two annotators, pair for pair as the WFDB program ``bxb`` finds them (option ``-S``).

A pair is written as ``bxb`` writes it: upper case is the reference, lower case the test annotator, so ``Nv`` is the
number of normal beats called ventricular. ``o`` is a beat that was missed and ``O`` one that is not there; ``x`` and
``X`` are the same while the other annotator had shut down, because no signal could be read. Rules, match window and
learning period are those of ANSI/AAMI EC57 as ``bxb.c`` (G. Moody, WFDB Software Package) applies them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEARNING_PERIOD_S = 300.0
"""EC57 leaves the first five minutes of a record to the algorithm for learning; scoring starts after them."""

MATCH_WINDOW_S = 0.15
"""Two annotations further apart than this are not of the same beat."""

TRUE = tuple("NSVFQOX")
CALLED = tuple("nsvfqox")

LABEL_OF_SYMBOL = MappingProxyType(
    {
        **dict.fromkeys("NLRB", "N"),
        **dict.fromkeys("AaJSejn", "S"),
        **dict.fromkeys("VEr", "V"),
        "F": "F",
        **dict.fromkeys("/fQ?", "Q"),
        "!": "O",
    }
)
"""Beats, as ``bxb`` files them: the escape beats e and j are in S, and a flutter wave is nothing to be found."""

NO_SIGNAL = 0x30
"""Bits of the subtype of a noise annotation that say that neither signal can be read."""

FAR = 1 << 60


class Annotated(Protocol):
    """Annotations of a record in time order: equally long arrays."""

    @property
    def samples(self) -> NDArray[np.int64]:
        """Where they are, in samples of the record."""
        ...

    @property
    def symbols(self) -> NDArray[np.str_]:
        """WFDB symbols."""
        ...

    @property
    def subtypes(self) -> NDArray[np.int64]:
        """Subtypes of the symbols (WFDB)."""
        ...


@dataclass
class _Beats:
    """Beats outside flutter, ended by two that never come, and what of the record is flutter or cannot be read."""

    samples: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    flutter: list[tuple[int, int]] = field(default_factory=list)
    shut_down: list[tuple[int, int]] = field(default_factory=list)


def compare(
    reference: Annotated,
    test: Annotated,
    fs: float,
    length: int,
    start_s: float = LEARNING_PERIOD_S,
    window_s: float = MATCH_WINDOW_S,
) -> pd.DataFrame:
    """Count the pairs of a record.

    Each beat is paired with the nearest of the other annotator within the match window, or with the one before it if
    the nearest has a beat of its own that is nearer still. What the test annotator finds in ventricular flutter, which
    the reference marks with ``[`` and ``]``, counts for nothing.

    Parameters
    ----------
    reference, test : Annotated
    fs : float
        Sampling rate, Hz.
    length : int
        Samples of the record.
    start_s : float
        Where scoring starts; 0 scores the whole record.
    window_s : float

    Returns
    -------
    DataFrame of int, shape (7, 7)
        Rows N S V F Q O X, columns n s v f q o x.
    """
    window, start = _samples(window_s, fs), _samples(start_s, fs)
    true, called = _read(reference, window), _read(test, window)
    pairs: Counter[tuple[str, str]] = Counter()
    i, j = bisect_left(true.samples, start), bisect_left(called.samples, start)
    if start:
        i, j = _begin(true, called, i, j, start, window, pairs)
    while true.samples[i] <= length or called.samples[j] <= length:
        at, found = true.samples[i], called.samples[j]
        rival = abs(at - called.samples[j + 1]) if found < at else abs(found - true.samples[i + 1])
        # A nearer rival is left to its own neighbour where that is nearer still, as in bxb since 24 November 2002.
        after = abs(true.samples[i + 1] - called.samples[j + 1])
        if abs(at - found) <= window and (abs(at - found) < rival or after < rival):
            pairs[true.labels[i], called.labels[j]] += 1
            i, j = i + 1, j + 1
        elif found < at:
            if not _inside(true.flutter, found):
                pairs["X" if _inside(true.shut_down, found) else "O", called.labels[j]] += 1
            j += 1
        else:
            pairs[true.labels[i], "X" if _inside(called.shut_down, at) else "O"] += 1
            i += 1
    counts = [[0 if row in "OX" and name in "ox" else pairs[row, name.upper()] for name in CALLED] for row in TRUE]
    return pd.DataFrame(counts, index=pd.Index(TRUE, name="true"), columns=pd.Index(CALLED, name="called"))


def _samples(seconds: float, fs: float) -> int:
    """Round to whole samples, a half up, as ``strtim`` of the WFDB library does."""
    return int(seconds * fs + 0.5)


def _begin(
    true: _Beats, called: _Beats, i: int, j: int, start: int, window: int, pairs: Counter[tuple[str, str]]
) -> tuple[int, int]:
    """Pair what lies on both sides of the beginning: it may cut between the two annotations of one beat."""
    at, found = true.samples[i], called.samples[j]
    before = called.samples[j - 1] if j else -FAR
    if at - before <= window and at - before < abs(at - found):
        pairs[true.labels[i], called.labels[j - 1]] += 1
        return i + 1, j
    if found - start <= window and abs(at - called.samples[j + 1]) < abs(at - found):
        return i, j + 1
    return i, j


def _read(annotated: Annotated, window: int) -> _Beats:
    samples, symbols = annotated.samples.tolist(), annotated.symbols.tolist()
    unreadable = ((annotated.symbols == "~") & (annotated.subtypes & NO_SIGNAL == NO_SIGNAL)).tolist()
    read, k = _Beats(), 0
    while k < len(samples):
        if symbols[k] in LABEL_OF_SYMBOL:
            read.samples.append(samples[k])
            read.labels.append(LABEL_OF_SYMBOL[symbols[k]])
        elif symbols[k] == "[":
            end = next((at for at in range(k, len(samples)) if symbols[at] == "]"), len(samples))
            read.flutter.append((samples[k], samples[end] if end < len(samples) else FAR))
            k = end
        elif unreadable[k]:
            k += _shut_down(read, samples, symbols, unreadable, k, window)
        k += 1
    read.samples += [FAR, FAR]
    read.labels += ["", ""]
    return read


def _shut_down(
    read: _Beats, samples: Sequence[int], symbols: Sequence[str], unreadable: Sequence[bool], k: int, window: int
) -> int:
    """Note from where to where no signal can be read; gives the number of further annotations that say so.

    In the AHA database one annotation in the middle stands for all between the beats or the flutter around it.
    """
    if k + 1 == len(samples):
        read.shut_down.append((samples[k], FAR))
        return 0
    if symbols[k + 1] == "~" and not unreadable[k + 1]:
        read.shut_down.append((samples[k], samples[k + 1]))
        return 1
    before = max(read.samples[-1:] + [end for _, end in read.flutter[-1:]], default=0)
    end = samples[k + 1] - window
    read.shut_down.append((min(before + window, end), end))
    return 0


def _inside(intervals: Sequence[tuple[int, int]], sample: int) -> bool:
    return any(first <= sample <= last for first, last in intervals)
