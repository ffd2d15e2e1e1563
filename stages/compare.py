"""Put CNN, RNN and their averaged ensemble side by side, under both protocols.

``data/predictions/``, ``data/annotations/`` and the raw records in. Out come the headlines of the ensemble in
``metrics/<protocol>/ensemble.json``, all scores, differences and intervals in ``metrics/compare/``, and the annotation
files of the ensemble.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config.params import MODELS, PROTOCOLS, Evaluate, Params, load_params
from stages.config.paths import ANNOTATIONS, METRICS, PREDICTIONS, RAW
from stages.config.runner import ending_with_a_message, parser_of
from stages.ecg import aami, folds
from stages.ecg.recordings import RecordError
from stages.files.writing import read_json, write_json
from stages.inference.annotated_records import ANNOTATOR_OF, Reference, ec57_views, read_references, write_predicted
from stages.scores import comparison, curves, per_beat
from stages.scores.ec57 import AFTER_LEARNING, main_figures
from stages.scores.headlines import headlines

ENSEMBLE = "ensemble"
"""The classifier that averages the probabilities of the networks."""

DIFFERENCES = ("accuracy", "macro_f1_nsvf", "macro_f1")
SHOWN = (*DIFFERENCES, *(f"f1_{name}" for name in aami.CLASSES))

EXACT = ("mcnemar", "ec57")
"""Tables that keep all digits: p-values may be tiny, and ``bxb`` prints false positive rates in percent with three
decimals, which rounding twice gets wrong."""

log = logging.getLogger(__name__)

Tables = dict[str, pd.DataFrame]


def compare(params: Params) -> None:
    """Score the three classifiers under each protocol and write what differs."""
    database = params.download.resolved_database
    folder = METRICS / "compare"
    scores: dict[str, dict[str, Any]] = {}
    parts: list[Tables] = []
    for protocol in PROTOCOLS:
        label = folds.label(protocol, database.synthetic)
        scores[protocol], tables = compare_under(protocol, RAW / database.name, params.evaluate)
        parts.append({name: table.assign(protocol=label) for name, table in tables.items()})
        ensemble = scores[protocol][ENSEMBLE]
        write_json(METRICS / protocol / f"{ENSEMBLE}.json", headlines(ensemble))
        log.info("%s: ensemble, accuracy %.4f, macro F1 (N S V F) %.4f", label, *(ensemble[key] for key in SHOWN[:2]))
    write_json(folder / "scores.json", scores)
    for name in parts[0]:
        write_table(folder, name, pd.concat([tables[name] for tables in parts], ignore_index=True))
    log.info("`python -m stages.compare --show` prints the main scores")


def compare_under(protocol: str, raw: Path, settings: Evaluate) -> tuple[dict[str, dict[str, Any]], Tables]:
    """Score the classifiers under a protocol.

    Returns
    -------
    dict
        Classifier -> its scores, flat.
    dict of DataFrame
        The tables of ``metrics/compare/`` by name.
    """
    beats, classifiers = read_predictions(protocol)
    truth, records = labels_of(beats), beats["record"].to_numpy()
    references = read_references(raw, beats)
    annotated = ANNOTATIONS / protocol
    averaged = classifiers[ENSEMBLE].argmax(axis=1)
    write_predicted(annotated / ENSEMBLE, ANNOTATOR_OF[ENSEMBLE], beats, averaged, references)

    scores, views, ec57_records = {}, {}, {}
    for name, probabilities in classifiers.items():
        views[name], ec57_records[name] = ec57_views(references, annotated / name, ANNOTATOR_OF[name], settings.start_s)
        scores[name] = {
            **score(truth, probabilities),
            **main_figures(views[name]),
            **comparison.without_records(truth, probabilities.argmax(axis=1), records, settings.without),
            **comparison.ec57_without(main_records(ec57_records[name]), settings.without),
        }
    how = (settings.resamples, settings.seed)
    main = {name: main_records(table) for name, table in ec57_records.items()}
    intervals = [
        comparison.interval_table(truth, records, classifiers, *how),
        comparison.ec57_intervals(main, *how),
    ]
    return scores, {
        "per_class": comparison.per_class_table(scores),
        "differences": comparison.differences(scores, DIFFERENCES),
        "mcnemar": comparison.mcnemar_tests(truth, classifiers),
        "intervals": pd.concat(intervals),
        "subgroups": comparison.subgroup_table(truth, records, classifiers, groups_of(references)),
        "ec57": of_models(views),
        "ec57_records": of_models(ec57_records),
    }


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write ``<name>.csv``, numbers with six decimals unless it is one of ``EXACT``."""
    (table if name in EXACT else table.round(6)).to_csv(folder / f"{name}.csv", index=False)


def of_models(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the tables of the classifiers, with the column ``model``."""
    return pd.concat([table.assign(model=name) for name, table in tables.items()], ignore_index=True)


def main_records(records: pd.DataFrame) -> pd.DataFrame:
    """Select the EC57 figures of each record to look at first: e and j in N, after the learning period."""
    return records[(records["convention"] == "e_j_in_n") & (records["period"] == AFTER_LEARNING)]


def read_predictions(protocol: str) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Read the test beats and the probabilities of each network, and average them into the ensemble.

    Raises
    ------
    ValueError
        If the networks did not classify the same beats.
    """
    tables = {name: pd.read_parquet(PREDICTIONS / protocol / f"{name}.parquet") for name in MODELS}
    beats = tables[MODELS[0]].drop(columns=list(aami.PROBABILITY_COLUMNS))
    for name, table in tables.items():
        if not table.drop(columns=list(aami.PROBABILITY_COLUMNS)).equals(beats):
            raise ValueError(f"{protocol}: {name} and {MODELS[0]} classified different beats; run `dvc repro`")
    classifiers = {
        name: table[list(aami.PROBABILITY_COLUMNS)].to_numpy(dtype=np.float64) for name, table in tables.items()
    }
    classifiers[ENSEMBLE] = np.mean(list(classifiers.values()), axis=0)
    return beats, classifiers


def score(truth: NDArray[np.intp], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """Score one classifier on all test beats."""
    return {
        **per_beat.beat_scores(truth, probabilities.argmax(axis=1)),
        "expected_calibration_error": curves.expected_calibration_error(truth, probabilities),
    }


def labels_of(beats: pd.DataFrame) -> NDArray[np.intp]:
    """Give the positions of the true classes."""
    return np.asarray(pd.Categorical(beats["aami"], categories=list(aami.CLASSES)).codes, dtype=np.intp)


def groups_of(references: Mapping[str, Reference]) -> pd.DataFrame:
    """Say to which groups of patients each record belongs, by sex and age."""
    headers = {record: reference.header for record, reference in references.items()}
    rows = [
        {"record": record, "sex": header.sex or comparison.UNKNOWN, "age": comparison.age_band(header.age)}
        for record, header in headers.items()
    ]
    return pd.DataFrame(rows)


def headline_table(scores: Mapping[str, Mapping[str, Any]], synthetic: bool) -> str:
    """Lay the main scores out for reading, a table a protocol."""
    parts = []
    for protocol, of_protocol in scores.items():
        rows = {name: [of_model[key] for key in SHOWN] for name, of_model in of_protocol.items()}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(SHOWN)).astype(float)
        shown = table.to_string(float_format="{:.4f}".format, na_rep="-")
        parts.append(f"{folds.label(protocol, synthetic)}\n{shown}")
    return "\n\n".join(parts)


def main() -> None:
    """Run the stage, or print the main scores of an earlier run."""
    parser = parser_of(compare)
    parser.add_argument("--show", action="store_true", help="print the main scores of an earlier run and end")
    show = parser.parse_args().show
    with ending_with_a_message("compare", (RecordError, ValueError)):
        params = load_params()
        if show:
            path = METRICS / "compare" / "scores.json"
            print(headline_table(read_json(path), params.download.resolved_database.synthetic))
        else:
            compare(params)


if __name__ == "__main__":
    main()
