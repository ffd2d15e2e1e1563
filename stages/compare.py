"""Put CNN, RNN and their averaged ensemble side by side, under both protocols.

``data/predictions/`` in; ``metrics/compare.json``, ``metrics/compare/<protocol>.csv`` and figures out.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.ecg import aami
from stages.params import MODELS, PROTOCOLS, Evaluate, ParamsError, load_params
from stages.paths import METRICS, PREDICTIONS
from stages.scores import bootstrap, ec57, figures, plain
from stages.scores.style import save_png

ENSEMBLE = "ensemble"
HEADLINES = ("accuracy", "macro_f1_nsvf", "macro_f1")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print the headline figures of an earlier run and end")
    try:
        if not parser.parse_args().show:
            compare(load_params().evaluate)
        print(headlines(json.loads((METRICS / "compare.json").read_text(encoding="utf-8"))))
    except (ParamsError, FileNotFoundError, ValueError) as error:
        sys.exit(f"compare: {error}")


def compare(settings: Evaluate) -> None:
    """Score the three classifiers under each protocol and write what differs."""
    folder = METRICS / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, dict] = {}
    intervals = []
    for protocol in PROTOCOLS:
        label = json.loads((METRICS / protocol / f"{MODELS[0]}.json").read_text(encoding="utf-8"))["protocol"]
        beats, classifiers = read_predictions(protocol)
        scored = {name: score(beats, probabilities, settings) for name, probabilities in classifiers.items()}
        report[protocol] = {
            "protocol": label,
            **scored,
            "delta": deltas(scored),
            "mcnemar": mcnemar_tests(beats, classifiers),
        }
        intervals.append(interval_table(beats, classifiers, settings).assign(protocol=label))
        table = per_class_table(scored)
        table.round(6).to_csv(folder / f"{protocol}.csv", index=False)
        save_png(figures.comparison_figure(table, label), folder / f"{protocol}.png")
    report["delta_of_protocols"] = {
        name: {key: report["intra_patient"][name][key] - report["inter_patient"][name][key] for key in HEADLINES}
        for name in (*MODELS, ENSEMBLE)
    }
    pd.concat(intervals).round(6).to_csv(folder / "intervals.csv", index=False)
    (METRICS / "compare.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


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


def score(beats: pd.DataFrame, probabilities: NDArray[np.float64], settings: Evaluate) -> dict:
    """Score one classifier, also without each of the records that much hangs on."""
    truth = labels_of(beats)
    predicted, records = probabilities.argmax(axis=1), beats["record"].to_numpy()
    aami_scores = ec57.ec57_scores(truth, predicted, beats["time_s"].to_numpy(), records, settings.start_s)
    without = {}
    for record in sorted(set(settings.without) & set(records)):
        scores = plain.plain_scores(truth[records != record], predicted[records != record])
        of_class = {f"f1_{name}": scores["per_class"][name]["f1"] for name in "NSVF"}
        without[record] = {"accuracy": scores["accuracy"], "macro_f1_nsvf": scores["macro_f1_nsvf"], **of_class}
    return {**plain.plain_scores(truth, predicted), "ec57_gross": aami_scores["gross"], "without": without}


def deltas(scored: dict[str, dict]) -> dict[str, dict[str, float]]:
    """Say how much each classifier has over the first."""
    base = scored[MODELS[0]]
    return {
        f"{name}_minus_{MODELS[0]}": {key: scored[name][key] - base[key] for key in HEADLINES}
        for name in scored
        if name != MODELS[0]
    }


def labels_of(beats: pd.DataFrame) -> NDArray[np.intp]:
    """Give the positions of the true classes."""
    return np.asarray(pd.Categorical(beats["aami"], categories=list(aami.CLASSES)).codes, dtype=np.intp)


def pairs(classifiers: dict[str, NDArray[np.float64]]) -> Iterator[tuple[str, str]]:
    """Name every two classifiers, the later one first."""
    yield from ((second, first) for first, second in combinations(classifiers, 2))


def mcnemar_tests(beats: pd.DataFrame, classifiers: dict[str, NDArray[np.float64]]) -> dict[str, dict]:
    """Test of every two classifiers whether they err equally often."""
    predicted = {name: probabilities.argmax(axis=1) for name, probabilities in classifiers.items()}
    truth = labels_of(beats)
    return {f"{a}_vs_{b}": bootstrap.mcnemar(truth, predicted[a], predicted[b]) for a, b in pairs(classifiers)}


def interval_table(
    beats: pd.DataFrame, classifiers: dict[str, NDArray[np.float64]], settings: Evaluate
) -> pd.DataFrame:
    """List the scores of each classifier, and what one has over another, with 95 % intervals over records."""
    truth, how = labels_of(beats), (settings.resamples, settings.seed)
    confusions = {
        name: bootstrap.record_confusions(beats["record"], truth, probabilities.argmax(axis=1))
        for name, probabilities in classifiers.items()
    }
    values = {name: bootstrap.scores_of(counts.sum(axis=0)) for name, counts in confusions.items()}
    found = {name: (values[name], bootstrap.intervals(counts, *how)) for name, counts in confusions.items()}
    for a, b in pairs(classifiers):
        spread = bootstrap.difference_intervals(confusions[a], confusions[b], *how)
        found[f"{a} - {b}"] = (values[a] - values[b], spread)
    rows = [
        {"model": name, "score": score, "value": value, "low": spread[score][0], "high": spread[score][1]}
        for name, (scores, spread) in found.items()
        for score, value in zip(bootstrap.SCORES, scores, strict=True)
    ]
    return pd.DataFrame(rows)


def per_class_table(scored: dict[str, dict]) -> pd.DataFrame:
    """List sensitivity, positive predictive value and F1 of each classifier and class, one value a row."""
    rows = [
        {"model": name, "class": aami_class, "metric": metric, "value": values[metric]}
        for name, scores in scored.items()
        for aami_class, values in scores["per_class"].items()
        for metric in ("se", "ppv", "f1")
    ]
    return pd.DataFrame(rows).astype({"value": float})


def headlines(report: dict[str, dict]) -> str:
    """Lay the headline figures of a report out for reading."""
    parts = []
    for protocol in PROTOCOLS:
        scored = {name: report[protocol][name] for name in (*MODELS, ENSEMBLE)}
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
