"""What ``metrics/report.html`` says: gathered from the scores, tables and figures that the stages have written."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from stages.ecg.databases import Database
from stages.findings import on_both_sides, warning
from stages.params import MODELS, PROTOCOLS, Params
from stages.paths import METRICS
from stages.provenance import provenance
from stages.report.page import Cell, Picture, Section, Shown, Table, Text, decimals, page
from stages.scores.ec57 import show

COLOURS_KEPT = 64
"""Colours of a picture in the report: as many as make it look the same at a quarter of the size."""

HEADLINES = {
    "accuracy": "Accuracy",
    "macro_f1_nsvf": "Macro F1 (N S V F)",
    "macro_f1": "Macro F1 (5)",
    "f1_S": "F1 S",
    "f1_V": "F1 V",
    "f1_F": "F1 F",
}
EC57_SCORES = {"sveb_se": "SVEB Se", "sveb_ppv": "SVEB +P", "veb_se": "VEB Se", "veb_ppv": "VEB +P"}
WITHOUT = ("accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "f1_F")

PICTURES = {
    "confusion": ("Confusion matrices", "counts and shares of each true class (rows) by predicted class (columns)"),
    "roc": ("ROC curves", "true positive over false positive rate, each class against the rest"),
    "pr": ("Precision and recall", "precision over recall, each class against the rest"),
    "reliability": ("Reliability", "accuracy over confidence, and the number of beats of each confidence"),
    "records": ("Per-record scores", "sensitivity and positive predictivity of S, V and F in each record"),
    "pairs": ("Averaged beats of each pair", "mean beat of each pair of true and predicted class"),
    "mistakes": ("Most confidently wrong beats", "rhythm strips around twelve beats, two of a record at most"),
}

Report = Mapping[str, Any]


def report_page(params: Params, report: Report, tables: Mapping[str, pd.DataFrame]) -> str:
    """Write the report.

    Parameters
    ----------
    params : Params
    report : mapping
        As ``metrics/compare.json`` has it.
    tables : mapping of str to DataFrame
        ``intervals`` and ``subgroups``, as ``metrics/compare/`` has them.

    Returns
    -------
    str
        One self-contained HTML page.
    """
    database, intervals = params.download.resolved_database, tables["intervals"]
    inter, mixed = (report[protocol]["protocol"] for protocol in PROTOCOLS)
    lead = [
        f"A CNN, an RNN and the ensemble that averages them classify the beats of {database.name} {database.version} "
        "into the five AAMI classes N S V F Q, from one lead.",
        f"Under the protocol “{inter}” no patient is on both sides of the split{on_both_sides(database)}: those "
        f"figures predict how a new patient fares. Under the protocol “{mixed}” beats of one patient are on both "
        "sides, as in most tutorials.",
    ]
    sections = [
        Section("Headline scores", [scores_table(report[p]["protocol"], intervals) for p in PROTOCOLS]),
        Section("Differences between models", [differences(report[p], intervals) for p in PROTOCOLS]),
        Section("AAMI EC57", [EC57_WORDS, *(ec57_table(report[p]) for p in PROTOCOLS)]),
        Section("AAMI EC57 with intervals", [ec57_intervals(report[p], intervals) for p in PROTOCOLS]),
        Section("Without single records", [without_records(report[p]) for p in PROTOCOLS]),
        Section("By sex and age", [by_group(report[p]["protocol"], tables["subgroups"]) for p in PROTOCOLS]),
        Section("Classes side by side", list(class_pictures(report))),
        *(Section(title, list(model_pictures(report, kind, what)), 2) for kind, (title, what) in PICTURES.items()),
        Section("Training", [cross_validation(report), *learning_curves(report)], 2),
        Section("Beats of the database", list(data_pictures(database))),
        *search_sections(),
        Section("Provenance", list(provenance(params))),
    ]
    return page("Heartbeat classification", lead, sections, warning(database, PROTOCOLS))


class Score(NamedTuple):
    """A score with the ends of its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The score and its interval in print; dashes where they are not defined."""
        value, low, high = ("-" if np.isnan(number) else decimals(number) for number in self)
        return f"{value} ({low} to {high})"

    @property
    def shown(self) -> Shown:
        """The score as a table has it."""
        return Shown(self.value, str(self))


def scores_of(label: str, intervals: pd.DataFrame) -> dict[tuple[str, str], Score]:
    """Select the scores of a protocol, by model and name."""
    found = intervals[intervals["protocol"] == label]
    names = zip(found["model"], found["score"], strict=True)
    values = zip(found["value"].tolist(), found["low"].tolist(), found["high"].tolist(), strict=True)
    return {name: Score(*value) for name, value in zip(names, values, strict=True)}


def scores_table(label: str, intervals: pd.DataFrame) -> Table:
    """List the headline scores of each model under a protocol, each with its interval."""
    values = scores_of(label, intervals)
    models = dict.fromkeys(model for model, _ in values if " - " not in model)
    rows: list[list[Cell]] = [[name, *(values[name, score].shown for score in HEADLINES)] for name in models]
    note = "All test beats; e and j in N. In brackets 95 % intervals, percentile bootstrap over records."
    return Table(f"Scores, {label}", ["Model", *HEADLINES.values()], rows, note)


def differences(of_protocol: Report, intervals: pd.DataFrame) -> Table:
    """Say what one model has over another: paired bootstrap over records, and McNemar's test over beats."""
    label, scores = of_protocol["protocol"], {key: HEADLINES[key] for key in ("accuracy", "macro_f1_nsvf")}
    values = scores_of(label, intervals)
    rows = []
    for pair, test in of_protocol["mcnemar"].items():
        models = pair.replace("_vs_", " - ")
        p_value = Shown(test["p_value"], f"{test['p_value']:.2g}")
        tested = (test["only_first_right"], test["only_second_right"], p_value)
        rows.append([models, *(values[models, score].shown for score in scores), *tested])
    columns = ["Models", *scores.values(), "Only the first right", "Only the second right", "McNemar p"]
    note = "McNemar's test takes beats for independent, which they are not: believe the intervals before it."
    return Table(f"One model less another, {label}", columns, rows, note)


EC57_WORDS = Text(
    [
        "Beat-by-beat comparison as the WFDB program bxb does it, in percent: Se is sensitivity, +P positive "
        "predictivity, FPR false positive rate; a dash is a ratio that is not defined. Gross pools the beats, average "
        "is the mean of the records. The pairs of every record are in metrics/compare/ec57_records.csv."
    ]
)


def ec57_table(of_protocol: Report) -> Table:
    """List gross and average figures of both conventions for e and j, after the learning period and from the start."""
    rows = []
    for name in models_of(of_protocol):
        for convention in of_protocol[name]["ec57"].values():
            for period in ("scored", "whole"):
                view = convention[period]
                where = (convention["mapping"].split(",")[0], f"{view['start_s'] / 60:g} min")
                for kind in ("gross", "average"):
                    found = [
                        view[kind][ectopic][ratio] for ectopic in ("sveb", "veb") for ratio in ("se", "ppv", "fpr")
                    ]
                    shown = [Shown(value, show(value, 3 if place % 3 == 2 else 2)) for place, value in enumerate(found)]
                    rows.append([name, *where, kind, view["n_scored"], *shown])
    ratios = [f"{ectopic} {ratio}" for ectopic in ("SVEB", "VEB") for ratio in ("Se", "+P", "FPR")]
    columns = ["Model", "Escape beats", "Scored from", "Kind", "Beats", *ratios]
    return Table(f"EC57, {of_protocol['protocol']}", columns, rows)


def ec57_intervals(of_protocol: Report, intervals: pd.DataFrame) -> Table:
    """List the main figures of EC57 with intervals."""
    values = scores_of(of_protocol["protocol"], intervals)
    rows: list[list[Cell]] = [
        [name, *(values[name, score].shown for score in EC57_SCORES)] for name in models_of(of_protocol)
    ]
    note = "Gross, e and j in N, after the learning period. In brackets 95 % intervals over records."
    columns = ["Model", *EC57_SCORES.values()]
    return Table(f"EC57 with intervals, {of_protocol['protocol']}", columns, rows, note)


def without_records(of_protocol: Report) -> Table:
    """List the scores without each of the records that much hangs on."""
    rows = [
        [name, record, *(scores[key] for key in WITHOUT)]
        for name in models_of(of_protocol)
        for record, scores in of_protocol[name]["without"].items()
    ]
    columns = ["Model", "Without record", *(HEADLINES[key] for key in WITHOUT)]
    return Table(f"Without single records, {of_protocol['protocol']}", columns, rows)


def by_group(label: str, subgroups: pd.DataFrame) -> Table:
    """List the scores of groups of patients."""
    found = subgroups[subgroups["protocol"] == label].drop(columns="protocol")
    names = [column[0].upper() + column[1:].replace("_", " ") for column in found.columns]
    note = "Sex and age in years as the headers of the records have them. The groups are small."
    return Table(f"By sex and age, {label}", names, found.astype(object).to_numpy().tolist(), note)


def class_pictures(report: Report) -> Iterator[Picture]:
    """Show precision, recall and F1 of the models side by side."""
    for protocol in PROTOCOLS:
        of_protocol = report[protocol]
        said = f"Precision, recall and F1 of each class, CNN, RNN and ensemble side by side, {of_protocol['protocol']}"
        alt = "; ".join(f"{name}: {f1_of_classes(of_protocol[name])}" for name in models_of(of_protocol))
        yield picture(METRICS / "compare" / f"{protocol}.png", said, f"Bar charts. {alt}.")


def model_pictures(report: Report, kind: str, what: str) -> Iterator[Picture]:
    """Show one kind of figure of each model under each protocol."""
    for protocol in PROTOCOLS:
        for name in MODELS:
            alt = f"{what.capitalize()}. {f1_of_classes(report[protocol][name])}."
            said = f"{name.upper()}, {report[protocol]['protocol']}: {what}"
            yield picture(METRICS / protocol / name / f"{kind}.png", said, alt)


def cross_validation(report: Report) -> Table:
    """List the scores that the design was chosen by."""
    keys = ("beats", *WITHOUT)
    rows = []
    for protocol in PROTOCOLS:
        for name in MODELS:
            scores = read_json(METRICS / protocol / name / "training.json")["cross_validation"]
            rows.append([f"{name}, {report[protocol]['protocol']}", *(scores[key] for key in keys)])
    columns = ["Model", "Beats", *(HEADLINES[key] for key in WITHOUT)]
    note = "The training beats of the folds that were left out, each scored by the network that left out its fold."
    return Table("Cross-validation on the training beats", columns, rows, note)


def learning_curves(report: Report) -> Iterator[Picture]:
    """Show how the members were fitted."""
    for protocol in PROTOCOLS:
        for name in MODELS:
            folder = METRICS / protocol / name
            best = read_json(folder / "training.json")["best_epoch"]
            alt = ", ".join(f"fold {fold}: {epoch}" for fold, epoch in best.items())
            said = f"{name.upper()}, {report[protocol]['protocol']}: loss and validation scores of each member"
            yield picture(folder / "history.png", said, f"Learning curves. Best epochs: {alt}.")


def data_pictures(database: Database) -> Iterator[Picture]:
    """Show what beats there are."""
    folder, name = METRICS / "explore", f"{database.name} {database.version}"
    counts = pd.read_csv(folder / "class_counts.csv")
    whole = counts[counts["set"] == "all"]
    beats = ", ".join(f"{count:,} {c}" for c, count in zip(whole["class"], whole["beats"], strict=True))
    shown = {
        "mean_beats": f"Mean beat of each class with one standard deviation, {name}",
        "class_counts": f"Beats of each class in each set of records, {name}",
    }
    for file, said in shown.items():
        yield picture(folder / f"{file}.png", said, f"{said}. In all records: {beats}.")


def search_sections() -> list[Section]:
    """Show the searches that were reported, if there are any: a rebuild need not run them."""
    blocks = []
    for path in (METRICS / "sweep" / f"{name}.json" for name in MODELS):
        if path.is_file():
            told = read_json(path)
            trials = ", ".join(f"{count} {state}" for state, count in told["trials"].items() if count)
            for kind in ("history", "parallel", "importance"):
                said = f"{told['title']}, {kind}"
                blocks.append(picture(path.with_name(f"{path.stem}_{kind}.png"), said, f"{said}. Trials: {trials}."))
    return [Section("Hyperparameter searches", blocks)] if blocks else []


def models_of(of_protocol: Report) -> list[str]:
    """Name the classifiers that were scored under a protocol, in order."""
    return [name for name, value in of_protocol.items() if isinstance(value, Mapping) and "per_class" in value]


def f1_of_classes(scores: Report) -> str:
    """Read the F1 of each class out."""
    return ", ".join(f"F1 {name} {number(of_class['f1'])}" for name, of_class in scores["per_class"].items())


def number(value: float | None) -> str:
    """Print a score."""
    return "not defined" if value is None else decimals(value)


def picture(path: Path, caption: str, alt: str) -> Picture:
    """Read a figure, with fewer colours."""
    with Image.open(path) as figure:
        reduced = figure.convert("RGB").quantize(COLOURS_KEPT, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    file = io.BytesIO()
    reduced.save(file, "PNG", optimize=True)
    return Picture(file.getvalue(), caption, alt)


def read_json(path: Path) -> dict[str, Any]:
    """Read what a stage has told."""
    return json.loads(path.read_text(encoding="utf-8"))
