"""The five heartbeat classes of ANSI/AAMI EC57 and the MIT-BIH symbols that fall into them.

The mapping is the one of de Chazal, O'Dwyer & Reilly, "Automatic classification of heartbeats using
ECG morphology and heartbeat interval features", IEEE Trans Biomed Eng 51(7):1196-1206 (2004): the escape
beats ``e`` and ``j`` are in N. (The WFDB program ``bxb`` files these two under S.)
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

CLASSES = ("N", "S", "V", "F", "Q")
"""The class order of every array, table and network output of the project."""

PROBABILITY_COLUMNS = tuple(f"p_{name}" for name in CLASSES)
"""Columns of a table of predictions."""

CLASS_NAMES = {
    "N": "normal or bundle branch block",
    "S": "supraventricular ectopic",
    "V": "ventricular ectopic",
    "F": "fusion",
    "Q": "paced or unclassifiable",
}

SYMBOLS_OF_CLASS = {"N": "NLRej", "S": "AaJS", "V": "VE", "F": "F", "Q": "/fQ"}
CLASS_OF_SYMBOL = {symbol: name for name, symbols in SYMBOLS_OF_CLASS.items() for symbol in symbols}

NON_BEATS = frozenset('+~|"x![]')
"""Annotations of MIT-BIH that mark no beat: rhythm, noise, artefact, note, blocked P wave, flutter."""


def is_beat(symbols: Iterable[str]) -> NDArray[np.bool_]:
    """Tell beats from other annotations.

    Parameters
    ----------
    symbols : iterable of str, length n
        WFDB annotation symbols.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    ValueError
        If a symbol is neither a beat with an AAMI class nor a known non-beat.
    """
    symbols = list(symbols)
    unknown = sorted({symbol for symbol in symbols if symbol not in CLASS_OF_SYMBOL and symbol not in NON_BEATS})
    if unknown:
        raise ValueError(
            f"annotation symbols {unknown} have no AAMI class; known beats are "
            f"{''.join(CLASS_OF_SYMBOL)!r}, known non-beats {''.join(sorted(NON_BEATS))!r}"
        )
    return np.array([symbol in CLASS_OF_SYMBOL for symbol in symbols], dtype=bool)


def class_indices(symbols: Iterable[str]) -> NDArray[np.int8]:
    """Map beat symbols to positions in ``CLASSES``.

    Raises
    ------
    KeyError
        If a symbol marks no beat; filter with :func:`is_beat` first.
    """
    return np.array([CLASSES.index(CLASS_OF_SYMBOL[symbol]) for symbol in symbols], dtype=np.int8)
