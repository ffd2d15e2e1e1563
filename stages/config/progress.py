"""Where long work is: a bar with the time left on a terminal, a line a step in a log."""

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import joblib
from tqdm import tqdm

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def watched(results: Iterable[Result], name: str, steps: Sequence[str]) -> Iterator[Result]:
    """Pass results on, and say of each that it is there.

    Parameters
    ----------
    results : iterable
        One for each step, in their order.
    name : str
        Of the work.
    steps : sequence of str
        What is done one after the other, such as the names of records.
    """
    if sys.stderr.isatty():
        yield from tqdm(results, total=len(steps), desc=name, unit="record")
        return
    for number, (step, result) in enumerate(zip(steps, results, strict=True), start=1):
        log.info("%s: record %s, %d of %d", name, step, number, len(steps))
        yield result


def side_by_side(jobs: Iterable[Any], name: str, records: Sequence[str]) -> list[Any]:
    """Run jobs of joblib, one a record, a process a core, and say how far they are."""
    return list(watched(joblib.Parallel(n_jobs=-1, return_as="generator")(jobs), name, records))
