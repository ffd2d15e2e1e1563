"""Put CNN, RNN and their averaged ensemble side by side, under both protocols.

``data/predictions/``, ``data/annotations/`` and the raw records in; ``metrics/compare.json``, tables and figures in
``metrics/compare/``, the annotation files of the ensemble, ``metrics/report.html`` and the model cards out.
"""

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.config.params import MODELS, PROTOCOLS, Evaluate, Params, ParamsError, load_params
from stages.config.paths import ANNOTATIONS, METRICS, PREDICTIONS, RAW
from stages.config.paths import MODELS as MODELS_FOLDER
from stages.ecg import aami
from stages.ecg.recordings import RecordError
from stages.figures import scores as figures
from stages.figures.style import save_png
from stages.inference.annotated_records import Reference, ec57_views, read_references, write_predicted
from stages.reporting.findings import titled
from stages.reporting.model_card import model_card
from stages.reporting.report import report_page
from stages.scores import comparison, curves, per_beat

ENSEMBLE = "ensemble"
ANNOTATOR = {**{name: name for name in MODELS}, ENSEMBLE: "ens"}
HEADLINES = ("accuracy", "macro_f1_nsvf", "macro_f1")
TABLES = ("intervals", "subgroups", "ec57_records")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print the headline figures of an earlier run and end")
    try:
        if not parser.parse_args().show:
            params = load_params()
            write_pages(params, *compare(params))
        print(headlines(json.loads((METRICS / "compare.json").read_text(encoding="utf-8"))))
    except (ParamsError, RecordError, FileNotFoundError, ValueError) as error:
        sys.exit(f"compare: {error}")


def compare(params: Params) -> tuple[dict[str, dict], dict[str, pd.DataFrame]]:
    """Score the three classifiers under each protocol and write what differs.

    Returns
    -------
    dict
        What ``metrics/compare.json`` holds.
    dict of DataFrame
        The tables of ``metrics/compare/`` by name.
    """
    folder = METRICS / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    raw = RAW / params.download.resolved_database.name
    report: dict[str, dict] = {}
    parts: list[dict[str, pd.DataFrame]] = []
    for protocol in PROTOCOLS:
        report[protocol], tables = compare_under(protocol, raw, params.evaluate)
        label = report[protocol]["protocol"]
        parts.append({name: table.assign(protocol=label) for name, table in tables.items()})
        per_class = comparison.per_class_table({name: report[protocol][name] for name in ANNOTATOR})
        per_class.round(6).to_csv(folder / f"{protocol}.csv", index=False)
        shown = per_class.assign(model=per_class["model"].map(titled))
        save_png(figures.comparison_figure(shown, label), folder / f"{protocol}.png")
    joined = {name: pd.concat([tables[name] for tables in parts], ignore_index=True) for name in TABLES}
    for name, table in joined.items():
        table.round(6).to_csv(folder / f"{name}.csv", index=False)
    report["delta_of_protocols"] = {
        name: {key: report["intra_patient"][name][key] - report["inter_patient"][name][key] for key in HEADLINES}
        for name in ANNOTATOR
    }
    (METRICS / "compare.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report, joined


def write_pages(params: Params, report: dict[str, dict], tables: dict[str, pd.DataFrame]) -> None:
    """Write the report and a card for each model."""
    (METRICS / "report.html").write_text(report_page(params, report, tables), encoding="utf-8")
    for protocol in PROTOCOLS:
        for name in MODELS:
            card = model_card(protocol, name, params, report, tables["intervals"])
            (MODELS_FOLDER / protocol / f"{name}.md").write_text(card, encoding="utf-8")


def compare_under(protocol: str, raw: Path, settings: Evaluate) -> tuple[dict, dict[str, pd.DataFrame]]:
    """Score the classifiers under a protocol.

    Returns
    -------
    dict
        The part of ``metrics/compare.json`` that is of this protocol.
    dict of DataFrame
        The tables of ``metrics/compare/`` by name.
    """
    label = json.loads((METRICS / protocol / f"{MODELS[0]}.json").read_text(encoding="utf-8"))["protocol"]
    beats, classifiers = read_predictions(protocol)
    truth, records = labels_of(beats), beats["record"].to_numpy()
    references = read_references(raw, beats)
    how = (settings.resamples, settings.seed)
    annotated = ANNOTATIONS / protocol
    averaged = classifiers[ENSEMBLE].argmax(axis=1)
    write_predicted(annotated / ENSEMBLE, ANNOTATOR[ENSEMBLE], beats, averaged, references)

    scored, ec57_tables, main = {}, [], {}
    for name, probabilities in classifiers.items():
        ec57, table = ec57_views(references, annotated / name, ANNOTATOR[name], settings.start_s)
        main[name] = table[(table["convention"] == "e_j_in_n") & (table["period"] == "scored")]
        plainly = score(truth, records, probabilities, settings)
        for record, ratios in comparison.ec57_without(main[name], settings.without).items():
            plainly["without"][record] |= ratios
        scored[name] = {**plainly, "ec57": ec57}
        ec57_tables.append(table.assign(model=name))
    report = {
        "protocol": label,
        **scored,
        "delta": comparison.deltas(scored, HEADLINES),
        "mcnemar": comparison.mcnemar_tests(truth, classifiers),
    }
    subgroups = comparison.subgroup_table(truth, records, classifiers, groups_of(references))
    intervals = [
        comparison.interval_table(truth, records, classifiers, *how),
        comparison.ec57_intervals(main, *how),
    ]
    return report, {
        "intervals": pd.concat(intervals),
        "subgroups": subgroups,
        "ec57_records": pd.concat(ec57_tables),
    }


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


def score(truth: NDArray[np.intp], records: NDArray, probabilities: NDArray[np.float64], settings: Evaluate) -> dict:
    """Score one classifier, also without each of the records that much hangs on."""
    predicted = probabilities.argmax(axis=1)
    return {
        **per_beat.beat_scores(truth, predicted),
        "expected_calibration_error": curves.expected_calibration_error(truth, probabilities),
        "without": comparison.without_records(truth, predicted, records, settings.without),
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


def headlines(report: dict[str, dict]) -> str:
    """Lay the headline figures of a report out for reading."""
    parts = []
    for protocol in PROTOCOLS:
        scored = {name: report[protocol][name] for name in ANNOTATOR}
        rows = {
            name: {key: scores[key] for key in HEADLINES}
            | {f"F1 {c}": scores["per_class"][c]["f1"] for c in aami.CLASSES}
            for name, scores in scored.items()
        }
        table = (
            pd.DataFrame.from_dict(rows, orient="index")
            .astype(float)
            .to_string(float_format="{:.4f}".format, na_rep="-")
        )
        parts.append(f"{report[protocol]['protocol']}\n{table}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
