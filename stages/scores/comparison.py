"""Classifiers side by side on the same beats: what each scores, how sure that is, and for whom it holds.

``classifiers`` maps the name of each to its probabilities, an array of shape (beats, 5).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg.aami import CLASSES
from stages.scores import bootstrap, ec57, per_beat

Classifiers = Mapping[str, NDArray[np.floating]]

RATIO_PARTS = {"se": ("tp", "fn"), "ppv": ("tp", "fp"), "fpr": ("fp", "tn")}
"""Ratio -> the count above the line, and the one that is added to it below."""

DIFFERENCE = " - "
"""Stands between the names of two classifiers whose difference a row is of."""

WITHOUT = ("accuracy", "macro_f1_nsvf", "f1_N", "f1_S", "f1_V", "f1_F")
"""Scores that are told without single records."""

AGE_EDGES = (50, 65, 75)
UNKNOWN = "not known"


def without_records(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], records: NDArray[Any], left_out: Sequence[str]
) -> dict[str, float | None]:
    """Score without each of the records that much hangs on, one at a time; those that are not there are passed over.

    Returns
    -------
    dict
        ``<score>_without_<record>`` for each score of ``WITHOUT``.
    """
    found: dict[str, float | None] = {}
    for record in sorted(set(left_out) & set(records)):
        others = records != record
        scores = per_beat.beat_scores(truth[others], predicted[others])
        found |= {f"{name}_without_{record}": scores[name] for name in WITHOUT}
    return found


def differences(scored: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> pd.DataFrame:
    """Say how much each classifier has over the first, a row a pair: ``models`` and the scores of ``keys``."""
    base, *others = scored
    return pd.DataFrame(
        {"models": f"{name}{DIFFERENCE}{base}", **{key: scored[name][key] - scored[base][key] for key in keys}}
        for name in others
    )


def mcnemar_tests(truth: NDArray[np.integer], classifiers: Classifiers) -> pd.DataFrame:
    """Test of every two classifiers whether they err equally often.

    Returns
    -------
    DataFrame, one row a pair
        ``first``, ``second``, ``only_first_right``, ``only_second_right`` (beats), ``p_value``.
    """
    predicted = {name: probabilities.argmax(axis=1) for name, probabilities in classifiers.items()}
    return pd.DataFrame(
        {"first": a, "second": b, **bootstrap.mcnemar(truth, predicted[a], predicted[b])}
        for a, b in _pairs(classifiers)
    )


def interval_table(
    truth: NDArray[np.integer], records: NDArray[Any], classifiers: Classifiers, resamples: int, seed: int
) -> pd.DataFrame:
    """List the scores of each classifier, and what one has over another, with 95 % intervals over records.

    Returns
    -------
    DataFrame
        ``model`` (two of them with a minus sign between for a difference), ``score``, ``value``, ``low``, ``high``,
        ``defined`` (see :class:`stages.scores.bootstrap.Interval`).
    """
    confusions = {
        name: bootstrap.record_confusions(records, truth, probabilities.argmax(axis=1))
        for name, probabilities in classifiers.items()
    }
    values = {name: bootstrap.scores_of(counts.sum(axis=0)) for name, counts in confusions.items()}
    found = {name: (values[name], bootstrap.intervals(counts, resamples, seed)) for name, counts in confusions.items()}
    for a, b in _pairs(classifiers):
        spread = bootstrap.difference_intervals(confusions[a], confusions[b], resamples, seed)
        found[f"{a}{DIFFERENCE}{b}"] = (values[a] - values[b], spread)
    rows = [
        {"model": name, "score": score, "value": value, **spread[score]._asdict()}
        for name, (scores, spread) in found.items()
        for score, value in zip(bootstrap.SCORES, scores, strict=True)
    ]
    return pd.DataFrame(rows)


def ec57_intervals(tables: Mapping[str, pd.DataFrame], resamples: int, seed: int) -> pd.DataFrame:
    """List gross Se, +P and FPR of ectopic beats, and what one classifier has over another, with 95 % intervals.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Classifier -> its figures of each record, from :func:`stages.scores.ec57.ec57_table`.
    resamples, seed : int

    Returns
    -------
    DataFrame
        As :func:`interval_table` has it.
    """
    names = [f"{kind}_{ratio}" for kind in ec57.KINDS for ratio in RATIO_PARTS]
    counts = {model: _parts_and_wholes(table) for model, table in tables.items()}
    pooled = {model: bootstrap.pooled(*of_model) for model, of_model in counts.items()}

    def less(first: str, second: str) -> bootstrap.Statistic:
        return lambda rows: pooled[first](rows) - pooled[second](rows)

    statistics = pooled | {f"{a}{DIFFERENCE}{b}": less(a, b) for a, b in _pairs(tables)}
    rows: list[dict[str, Any]] = []
    for model, statistic in statistics.items():
        records = len(next(iter(tables.values())))
        values = statistic(np.arange(records)[None])[0]
        found = bootstrap.resampled(statistic, records, resamples, seed)
        for score, value, interval in zip(names, values, found, strict=True):
            rows.append({"model": model, "score": score, "value": value, **interval._asdict()})
    return pd.DataFrame(rows)


def ec57_without(table: pd.DataFrame, left_out: Sequence[str]) -> dict[str, float | None]:
    """Give gross Se and +P of ectopic beats without each record, one at a time, as :func:`without_records` does.

    Parameters
    ----------
    table : DataFrame
        From :func:`stages.scores.ec57.ec57_table`.
    left_out : sequence of str
    """
    found: dict[str, float | None] = {}
    for record in sorted(set(left_out) & set(table["record"])):
        others = table[table["record"] != record]
        gross = bootstrap.pooled(*_parts_and_wholes(others))(np.arange(len(others))[None])[0]
        names = [f"{kind}_{ratio}" for kind in ec57.KINDS for ratio in RATIO_PARTS]
        found |= {
            f"{name}_without_{record}": per_beat.none_if_nan(value)
            for name, value in zip(names, gross, strict=True)
            if not name.endswith("fpr")
        }
    return found


def _parts_and_wholes(table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numerators and denominators of the ratios of EC57, kind by kind, shape (records, ratios)."""
    names = [(f"{kind}_{part}", f"{kind}_{other}") for kind in ec57.KINDS for part, other in RATIO_PARTS.values()]
    parts = np.stack([table[part].to_numpy() for part, _ in names], axis=1)
    others = np.stack([table[other].to_numpy() for _, other in names], axis=1)
    return parts, parts + others


def age_band(age: int | None) -> str:
    """Name the band of ages, in years, that an age falls into; the names sort by age."""
    if age is None:
        return UNKNOWN
    if age < AGE_EDGES[0]:
        return f"0 to {AGE_EDGES[0] - 1}"
    if age >= AGE_EDGES[-1]:
        return f"{AGE_EDGES[-1]} and over"
    position = int(np.searchsorted(AGE_EDGES, age, side="right"))
    return f"{AGE_EDGES[position - 1]} to {AGE_EDGES[position] - 1}"


def subgroup_table(
    truth: NDArray[np.integer], records: NDArray[Any], classifiers: Classifiers, groups: pd.DataFrame
) -> pd.DataFrame:
    """Score each classifier on the records of each group of patients.

    Parameters
    ----------
    truth : ndarray of int, shape (beats,)
    records : ndarray of str, shape (beats,)
    classifiers : mapping
    groups : DataFrame
        ``record`` and one column for each way to group, such as ``sex``.

    Returns
    -------
    DataFrame
        ``model``, ``by``, ``group``, ``records``, ``beats``, ``accuracy`` and, for S, V and F, ``beats_<class>`` and
        ``f1_<class>``, NaN where the group has no such beat.
    """
    rows: list[dict[str, Any]] = []
    for name, probabilities in classifiers.items():
        predicted = probabilities.argmax(axis=1)
        for by in groups.columns.drop("record"):
            for group, members in groups.groupby(by, sort=True)["record"]:
                chosen = np.isin(records, members.to_numpy())
                scores = per_beat.beat_scores(truth[chosen], predicted[chosen])
                row = {"model": name, "by": by, "group": group, "records": len(members), "beats": scores["n_test"]}
                row["accuracy"] = scores["accuracy"]
                for c in per_beat.ECTOPIC:
                    support = scores[f"support_{c}"]
                    row |= {f"beats_{c}": support, f"f1_{c}": scores[f"f1_{c}"] if support else np.nan}
                rows.append(row)
    return pd.DataFrame(rows)


def per_class_table(scored: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """List sensitivity, positive predictive value and F1 of each classifier and class, one value a row."""
    rows = [
        {"model": name, "class": aami_class, "metric": metric, "value": scores[f"{metric}_{aami_class}"]}
        for name, scores in scored.items()
        for aami_class in CLASSES
        for metric in per_beat.CLASS_SCORES
    ]
    return pd.DataFrame(rows).astype({"value": float})


def _pairs(classifiers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name every two classifiers, the later one first."""
    yield from ((second, first) for first, second in combinations(list(classifiers), 2))
