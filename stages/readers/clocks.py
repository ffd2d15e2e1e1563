"""Columns of times: what they say in seconds, the sampling rate that follows, and the place of each sample."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg.recordings import RecordError
from stages.readers.leads import RATES_HZ, check_rate
from stages.readers.pieces import LONGEST_GAP_S, settled

TIME_NAMES = re.compile(r"(elapsed[ _]?)?(time|timestamp|seconds|sec|ms|t|s)([ _(\[].*)?", re.IGNORECASE)

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
"""Seconds of the units in which times come as plain numbers; no two of them give a rate within ``RATES_HZ``."""


class TimeColumn:
    """Times of the samples of a table that comes in parts.

    Attributes
    ----------
    fs : float
        Sampling rate, Hz.
    unit : str
        One of ``UNITS_S``: what plain numbers were taken for.
    """

    def __init__(self, path: Path, column: str, times: pd.Series) -> None:
        """Take the sampling rate from the first part of a column."""
        self.path, self.column = path, column
        first = self._numbers(times, 0)
        self.unit = "s" if _is_dated(times) else _unit_of(first)
        first = first * UNITS_S[self.unit]
        self.fs = _rate_of(path, column, first)
        check_rate(path, self.fs)
        self._begin, self._last = float(first[0]), float(first[0]) - 1 / self.fs
        self._rows = self._ahead = 0

    def places(self, times: pd.Series) -> NDArray[np.int64]:
        """Give the places of the samples of the next part, strictly increasing, 0 for the first of all.

        Raises
        ------
        RecordError
            If a time is missing, not after the one before, or more than a day after it.
        """
        seconds = self._numbers(times, self._rows) * UNITS_S[self.unit]
        self._check(np.diff(seconds, prepend=self._last))
        rows = self._rows + np.arange(len(seconds), dtype=np.int64)
        places = settled(rows, np.maximum((seconds - self._begin) * self.fs, rows[0] + self._ahead))
        self._rows, self._last, self._ahead = int(rows[-1]) + 1, float(seconds[-1]), int(places[-1] - rows[-1])
        return places

    def _check(self, steps: NDArray[np.float64]) -> None:
        wrong = (steps <= 0) | (steps > LONGEST_GAP_S)
        if not wrong.any():
            return
        step, row = steps[wrong.argmax()], self._rows + int(wrong.argmax()) + 1
        if step > 0:
            raise RecordError(
                f"{self.path}: data row {row} is {step:g} s after the one before, by its {self.column}; expected less "
                f"than a day, so correct the time or split the file there"
            )
        raise RecordError(
            f"{self.path}: the times of column {self.column} do not increase by about {1 / self.fs:g} s at data row "
            f"{row}; put the rows in order, or give --fs to do without the times"
        )

    def _numbers(self, times: pd.Series, rows: int) -> NDArray[np.float64]:
        """Turn times into numbers: seconds, unless they are plain numbers."""
        if times.isna().any():
            row = rows + int(times.isna().to_numpy().argmax()) + 1
            raise RecordError(
                f"{self.path}: data row {row} has no {self.column}; expected a time in every row, so fill it in, or "
                f"give --fs to do without the times"
            )
        if pd.api.types.is_timedelta64_dtype(times):
            return np.asarray(times.dt.total_seconds(), dtype=np.float64)
        if pd.api.types.is_datetime64_any_dtype(times):
            return _since_1970(times)
        numbers = pd.to_numeric(times, errors="coerce")
        if np.isfinite(numbers).all():
            return np.asarray(numbers, dtype=np.float64)
        if not np.isfinite(numbers).any():
            text = times.astype(str).str.strip("'\"[] ")
            with contextlib.suppress(ValueError):
                return np.asarray(pd.to_timedelta(text.map(_with_hours)).dt.total_seconds(), dtype=np.float64)
            with contextlib.suppress(ValueError, TypeError):
                return _since_1970(pd.to_datetime(text))
        wrong = times[~np.isfinite(numbers)].iloc[0]
        raise RecordError(f"{self.path}: the column {self.column} holds {wrong!r}; expected times, or give --fs")


def _since_1970(times: pd.Series) -> NDArray[np.float64]:
    return np.asarray((times - pd.Timestamp(0, tz=times.dt.tz)).dt.total_seconds(), dtype=np.float64)


def _with_hours(text: str) -> str:
    """Complete the minutes and seconds that the WFDB program rdsamp prints."""
    return f"0:{text}" if re.fullmatch(r"\d+:\d+(\.\d+)?", text) else text


def _is_dated(times: pd.Series) -> bool:
    """Whether times are more than plain numbers."""
    typed = pd.api.types.is_timedelta64_dtype(times) or pd.api.types.is_datetime64_any_dtype(times)
    return typed or not np.isfinite(pd.to_numeric(times, errors="coerce")).all()


def _unit_of(numbers: NDArray[np.float64]) -> str:
    step = float(np.median(np.diff(numbers))) if len(numbers) > 1 else 0.0
    within = (unit for unit, seconds in UNITS_S.items() if step > 0 and _is_usual(1 / (step * seconds)))
    return next(within, "s")


def _is_usual(rate: float) -> bool:
    # The median of rounded times may be off by much: 3 ms at 360 Hz.
    return 0.5 * RATES_HZ[0] <= rate <= 2 * RATES_HZ[1]


def _rate_of(path: Path, column: str, times: NDArray[np.float64]) -> float:
    """Average the steps; a whole number, where over these times that makes less than half a sample."""
    steps = np.diff(times)
    if not len(steps) or np.median(steps) <= 0:
        raise RecordError(f"{path}: the times of column {column} do not increase, so they give no rate; give --fs")
    usual = np.median(steps)
    even = steps[(steps > 0.5 * usual) & (steps < 1.5 * usual)]  # gaps aside, and rounded times averaged
    rate = 1 / float(even.mean())
    return float(round(rate)) if abs(rate - round(rate)) * even.sum() < 0.5 else rate
