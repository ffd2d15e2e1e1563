"""Columns of times: what they say in seconds, and the sampling rate that follows."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg.recordings import RecordError

TIME_NAMES = re.compile(r"(elapsed[ _]?)?(time|timestamp|seconds|sec|ms|t|s)([ _(\[].*)?", re.IGNORECASE)


def seconds(path: Path, times: pd.Series, name: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(times, errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy(dtype=float) * (1e-3 if "ms" in name.lower() else 1.0)
    text = times.astype(str).str.strip("'\"[] ")
    try:
        return np.asarray(pd.to_timedelta(text.map(_with_hours)).dt.total_seconds(), dtype=np.float64)
    except ValueError:
        pass
    try:
        return np.asarray((pd.to_datetime(text) - pd.Timestamp(0)).dt.total_seconds(), dtype=np.float64)
    except (ValueError, TypeError):
        raise RecordError(f"{path}: the column {name} holds {times.iloc[0]!r}; expected times, or give --fs") from None


def _with_hours(text: str) -> str:
    """Complete the minutes and seconds that the WFDB program rdsamp prints."""
    return f"0:{text}" if re.fullmatch(r"\d+:\d+(\.\d+)?", text) else text


def rate_of(path: Path, times: NDArray[np.float64]) -> float:
    steps = np.diff(times)
    if not len(steps) or np.median(steps) <= 0:
        raise RecordError(f"{path}: its times do not increase, so the sampling rate is not known; give --fs")
    usual = np.median(steps)
    even = steps[(steps > 0.5 * usual) & (steps < 1.5 * usual)]  # gaps aside, and rounded times averaged
    rate = 1 / float(even.mean())
    return float(round(rate)) if abs(rate - round(rate)) < 0.01 * rate else rate
