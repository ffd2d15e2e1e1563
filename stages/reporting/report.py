"""What ``metrics/report.html`` says: gathered from the scores, tables and figures that the stages have written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.paths import METRICS
from stages.ecg.databases import Database
from stages.reporting.findings import UNTOLD, capital, main_record, on_both_sides, percent, tested, titled, warning
from stages.reporting.page import Cell, Section, Shown, Table, Text, decimals, page
from stages.reporting.pictures import (
    KINDS,
    Report,
    class_pictures,
    data_pictures,
    learning_curves,
    model_pictures,
    number,
    read_json,
    search_sections,
)
from stages.reporting.provenance import provenance
from stages.scores.comparison import UNKNOWN
from stages.scores.ec57 import show

UNESTIMABLE = "not estimable"

HEADLINES = {
    "accuracy": "Accuracy",
    "macro_f1_nsvf": "Macro F1 (N S V F)",
    "macro_f1": "Macro F1 (5)",
    "f1_S": "F1 S",
    "f1_V": "F1 V",
    "f1_F": "F1 F",
}
EC57_SCORES = {
    "sveb_se": "SVEB Se",
    "sveb_ppv": "SVEB +P",
    "sveb_fpr": "SVEB FPR",
    "veb_se": "VEB Se",
    "veb_ppv": "VEB +P",
    "veb_fpr": "VEB FPR",
}
SCORES = {**HEADLINES, **EC57_SCORES}
COMPARED = ("accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se", "sveb_ppv", "veb_se", "veb_ppv")
CROSS_VALIDATED = ("accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "f1_F")
WITHOUT = (*CROSS_VALIDATED, "sveb_se", "sveb_ppv", "veb_se", "veb_ppv")

WORDS = [
    ("N", "A normal or bundle branch block beat; with it, but where it is said otherwise, the escape beats e and j."),
    ("S", "A supraventricular ectopic beat: early, of the shape of a normal one."),
    ("V", "A ventricular ectopic beat: early and broad."),
    ("F", "A fusion of a normal and a ventricular beat."),
    ("Q", "A paced beat, or one that cannot be classified."),
    ("SVEB, VEB", "S and V as AAMI EC57 scores them, against all other classes."),
    ("Se", "Sensitivity or recall: share of the beats of a class that are called so."),
    ("+P", "Positive predictivity or precision: share of the beats called so that are of the class."),
    ("F1", "Harmonic mean of Se and +P; macro F1 is the mean over classes, however rare."),
    ("FPR", "False positive rate: share of the beats of other classes that are called so."),
    ("Gross, average", "All beats pooled; the mean of the records in which a figure is defined."),
]


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
    database = params.download.resolved_database
    scores = {protocol: scores_of(report[protocol]["protocol"], tables["intervals"]) for protocol in PROTOCOLS}
    labels = [str(report[protocol]["protocol"]) for protocol in PROTOCOLS]
    lead = [
        f"A CNN, an RNN and the ensemble that averages them classify the beats of {database.name} {database.version} "
        "into the five AAMI classes N S V F Q, from one lead.",
        f"Under the protocol “{labels[0]}” no patient is on both sides of the split{on_both_sides(database)}: those "
        f"figures predict how a new patient fares. Under the protocol “{labels[1]}” beats of one patient are on both "
        "sides, as in most tutorials.",
    ]
    pictures = [
        Section(kind.title, [Text([kind.words]), *drawn_beside(name), *model_pictures(report, name)], kind.columns)
        for name, kind in KINDS.items()
    ]
    sections = [
        Section("What was found", [Text(list(found(report))), Table("Classes and terms", ["Word", "Meaning"], WORDS)]),
        Section("Headline scores", [HEADLINE_WORDS, headline_table(report, scores)]),
        Section("Differences between models", [DIFFERENCE_WORDS, differences(labels, scores), mcnemar(report)]),
        Section("AAMI EC57", [EC57_WORDS, *(ec57_table(report[p]) for p in PROTOCOLS), ec57_intervals(report, scores)]),
        Section(
            "Without single records",
            [Text(list(why_without(report, database))), *(without(report[p]) for p in PROTOCOLS)],
        ),
        Section("By sex and age", [GROUP_WORDS, *(by_group(label, tables["subgroups"]) for label in labels)]),
        Section("Classes side by side", [CLASS_WORDS, *class_pictures(report)]),
        *pictures,
        Section("Training", [TRAINING_WORDS, cross_validation(report), *learning_curves(report)]),
        Section("Beats of the database", [DATA_WORDS, *data_pictures(database)]),
        *search_sections(),
        Section("Provenance", list(provenance(params))),
    ]
    return page("Heartbeat classification", lead, sections, warning(database, PROTOCOLS))


class Score(NamedTuple):
    """A score with its 95 % interval and the share of the resamples that define it; NaN where it is not defined."""

    value: float
    low: float
    high: float
    defined: float

    def __str__(self) -> str:
        """The score and its interval in print.

        Resamples that all score alike, as those of a class that is never found, say nothing of other patients.
        """
        if np.isnan(self.value):
            return UNTOLD
        if np.isnan(self.low) or self.low == self.high:
            return f"{decimals(self.value)} ({UNESTIMABLE})"
        mark = "†" if self.defined < 1 else ""
        return f"{decimals(self.value)} ({decimals(self.low)} to {decimals(self.high)}){mark}"

    @property
    def shown(self) -> Shown:
        """The score as a table has it."""
        return Shown(self.value, str(self))


Scores = Mapping[tuple[str, str], Score]
"""Model (or the difference of two) and name of a score -> score."""


def scores_of(label: str, intervals: pd.DataFrame) -> dict[tuple[str, str], Score]:
    """Select the scores of a protocol, by model and name."""
    found = intervals[intervals["protocol"] == label]
    names = zip(found["model"], found["score"], strict=True)
    values = found[list(Score._fields)].itertuples(index=False)
    return {name: Score(*value) for name, value in zip(names, values, strict=True)}


def found(report: Report) -> Iterator[str]:
    """Say in a few sentences what the figures come to."""
    inter, mixed = (report[protocol] for protocol in PROTOCOLS)
    yield (
        f"{capital(mixed['protocol'])} figures flatter: the macro F1 (N S V F) of the three models is "
        f"{span(mixed, 'macro_f1_nsvf')} there and {span(inter, 'macro_f1_nsvf')} for patients who were not learned "
        f"from. Accuracy is {span(mixed, 'accuracy')} and {span(inter, 'accuracy')}; calling every beat N scores "
        f"{decimals(baseline(PROTOCOLS[1]))} and {decimals(baseline(PROTOCOLS[0]))}."
    )
    fusion = ", ".join(f"{titled(name)} {percent(inter[name]['per_class']['F']['se'])}" for name in models_of(inter))
    yield f"Fusion beats of patients who were not learned from are found to this share: {fusion}."
    record, share = main_record(tested(PROTOCOLS[0], MODELS[0])["S_support"])
    said = f"Record {record} has {percent(share)} of the S beats of the inter-patient test fold."
    without = {name: inter[name]["without"].get(record) for name in models_of(inter)}
    if all(without.values()):
        falls = ", ".join(
            f"{titled(name)} {number(inter[name]['per_class']['S']['f1'])} and {number(left['f1_S'])}"
            for name, left in without.items()
        )
        said += f" F1 of S with and without it: {falls}."
    yield said


def span(of_protocol: Report, score: str) -> str:
    """Give the lowest and the highest score of the models."""
    values = sorted({decimals(of_protocol[name][score]) for name in models_of(of_protocol)})
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def baseline(protocol: str) -> float:
    """Read the accuracy of calling every beat N."""
    return float(read_json(METRICS / protocol / f"{MODELS[0]}.json")["baseline_accuracy"])


HEADLINE_WORDS = Text(
    [
        "Both protocols side by side, on all test beats, with e and j in N. In brackets 95 % intervals, percentile "
        "bootstrap over records: how far a figure hangs on who was recorded."
    ]
)
DIFFERENCE_WORDS = Text(
    [
        "What one model has over another, on the same resamples of the records: where the interval holds 0, other "
        "patients might have turned it round."
    ]
)
EC57_WORDS = Text(
    [
        "Beat-by-beat comparison as the WFDB program bxb does it, in percent. Scoring starts after a learning period "
        "of five minutes, or with the record. bxb files the escape beats e and j under S. A dash is a ratio that is "
        "not defined. The pairs of every record are in metrics/compare/ec57_records.csv."
    ]
)
GROUP_WORDS = Text(
    ["Sex and age in years as the headers of the records have them. The groups are small: no more than a hint."]
)
CLASS_WORDS = Text(["How well each class is called, the three models beside each other."])
TRAINING_WORDS = Text(
    [
        "How networks do on the fold of the training beats that they left out; those scores, not the ones above, "
        "chose the design. The patient-mixed ones are the networks of the ensemble, each with the weights of its best "
        "epoch; the inter-patient ones are for this alone, and those of the ensemble learn from all training beats."
    ]
)
DATA_WORDS = Text(["What there is to learn from: the mean beat of each class, and how rare most classes are."])


def headline_table(report: Report, scores: Mapping[str, Scores]) -> Table:
    """List the headline scores of each model under both protocols, with what one protocol has over the other."""
    labels = [report[protocol]["protocol"] for protocol in PROTOCOLS]
    rows = list(beside(HEADLINES, scores, difference=True))
    of_n = [baseline(protocol) for protocol in PROTOCOLS]
    rows.insert(len(rows) // len(HEADLINES), ["Accuracy", "every beat N", *of_n, of_n[1] - of_n[0]])
    columns = ["Score", "Model", *map(capital, labels), "Difference"]
    return Table("Scores under both protocols", columns, rows, interval_note(HEADLINES, scores))


def beside(names: Iterable[str], scores: Mapping[str, Scores], difference: bool = False) -> Iterator[list[Cell]]:
    """Put each score of each model under the protocols side by side, a row a score and model."""
    models = [model for model in dict.fromkeys(model for model, _ in scores[PROTOCOLS[0]]) if " - " not in model]
    for name in names:
        for model in models:
            inter, mixed = (scores[protocol][model, name] for protocol in PROTOCOLS)
            less = [mixed.value - inter.value] if difference else []
            yield [SCORES[name], titled(model), inter.shown, mixed.shown, *less]


def interval_note(names: Iterable[str], scores: Mapping[str, Scores]) -> str:
    """Say which of the intervals are of a part of the resamples, or of none; empty if there are none."""
    shown = {
        name: [
            score
            for of_protocol in scores.values()
            for (model, of), score in of_protocol.items()
            if of == name and " - " not in model
        ]
        for name in names
    }
    partial = {name: [score.defined for score in of_name if "†" in str(score)] for name, of_name in shown.items()}
    partly = ", ".join(f"{SCORES[name]} {percent(min(shares), 2)}" for name, shares in partial.items() if shares)
    notes = [f"† Of the resamples in which the score is defined, at least: {partly}."] if partly else []
    if any(UNESTIMABLE in str(score) for of_name in shown.values() for score in of_name):
        notes.append(f"{capital(UNESTIMABLE)}: all resamples score alike, so they say nothing of other patients.")
    return " ".join(notes)


def differences(labels: Sequence[str], scores: Mapping[str, Scores]) -> Table:
    """Say what one model has over another: paired bootstrap over records."""
    pairs = [model for model in dict.fromkeys(model for model, _ in scores[PROTOCOLS[0]]) if " - " in model]
    rows: list[list[Cell]] = [
        [SCORES[name], titled(pair), *(scores[protocol][pair, name].shown for protocol in PROTOCOLS)]
        for name in COMPARED
        for pair in pairs
    ]
    columns = ["Score", "Models", *map(capital, labels)]
    note = "SVEB and VEB after the learning period, the others of all test beats."
    return Table("One model less another", columns, rows, note)


def mcnemar(report: Report) -> Table:
    """List on how many beats only one of two models is right, and how likely that is by chance."""
    rows: list[list[Cell]] = []
    for protocol in PROTOCOLS:
        for pair, test in report[protocol]["mcnemar"].items():
            p_value = Shown(test["p_value"], f"{test['p_value']:.2g}")
            models = titled(pair.replace("_vs_", " and "))
            rows.append(
                [models, report[protocol]["protocol"], test["only_first_right"], test["only_second_right"], p_value]
            )
    columns = ["Models", "Protocol", "Only the first right", "Only the second right", "p"]
    note = "McNemar's test takes beats for independent, which they are not: believe the intervals before it."
    return Table("McNemar's test", columns, rows, note)


def ec57_table(of_protocol: Report) -> Table:
    """List the figures of both conventions for e and j, after the learning period and from the start; gross first."""
    rows: list[list[Cell]] = []
    models = models_of(of_protocol)
    for convention in of_protocol[models[0]]["ec57"]:
        for period in ("scored", "whole"):
            for kind in ("gross", "average"):
                for name in models:
                    told = of_protocol[name]["ec57"][convention]
                    view, escapes = told[period], told["mapping"].split(",")[0].removeprefix("e and j ")
                    start = Shown(view["start_s"], f"{view['start_s'] / 60:g}:00")
                    rows.append([titled(name), kind, start, escapes, view["n_scored"], *ratios(view[kind])])
    names = [f"{ectopic} {ratio}" for ectopic in ("SVEB", "VEB") for ratio in ("Se", "+P", "FPR")]
    columns = ["Model", "Kind", "From", "e, j", "Beats", *names]
    return Table(f"EC57, {of_protocol['protocol']}", columns, rows)


def ratios(figures: Report) -> list[Cell]:
    """Show Se, +P and FPR of both kinds of ectopic beats as ``bxb`` prints them."""
    digits = {"se": 2, "ppv": 2, "fpr": 3}
    found = [(figures[ectopic][ratio], digits[ratio]) for ectopic in ("sveb", "veb") for ratio in digits]
    return [Shown(value, show(value, places)) for value, places in found]


def ec57_intervals(report: Report, scores: Mapping[str, Scores]) -> Table:
    """List the main figures of EC57 with intervals."""
    labels = [capital(report[protocol]["protocol"]) for protocol in PROTOCOLS]
    note = f"Gross, after the learning period, e and j in N. {interval_note(EC57_SCORES, scores)}"
    return Table("EC57 with intervals", ["Score", "Model", *labels], list(beside(EC57_SCORES, scores)), note)


def why_without(report: Report, database: Database) -> Iterator[str]:
    """Say of each record that is left out what hangs on it."""
    inter = report[PROTOCOLS[0]]
    counts = tested(PROTOCOLS[0], MODELS[0])
    left_out = list(inter[MODELS[0]]["without"])
    if not left_out:
        yield "None of the records that params.yaml names is in this database."
        return
    yield "One record can make or break a figure, so each of these is left out in turn."
    for record in left_out:
        shares = {name: counts[f"{name}_support"] / counts[f"{name}_support"].sum() for name in "SVF"}
        held = " and ".join(f"{percent(share[record])} of the {name} beats" for name, share in shares.items())
        taught = database.shared.get(record)
        same = f", and is of the same patient as {taught}, who is learned from" if taught else ""
        yield f"Record {record} has {held} of the inter-patient test fold{same}."


def without(of_protocol: Report) -> Table:
    """List the scores without each of the records that much hangs on."""
    rows: list[list[Cell]] = [
        [titled(name), record, *(scores[key] for key in WITHOUT)]
        for name in models_of(of_protocol)
        for record, scores in of_protocol[name]["without"].items()
    ]
    columns = ["Model", "Without", *(SCORES[key] for key in WITHOUT)]
    note = "SVEB and VEB gross, after the learning period, the others of all test beats; e and j in N."
    return Table(f"Without single records, {of_protocol['protocol']}", columns, rows, note)


def by_group(label: str, subgroups: pd.DataFrame) -> Table:
    """List the scores of groups of patients."""
    of_protocol = subgroups[subgroups["protocol"] == label]
    groups = of_protocol["group"].replace({"F": "women", "M": "men"})
    known = groups != UNKNOWN
    groups = groups.mask(known & (of_protocol["by"] == "age"), "aged " + groups)
    groups = groups.where(known, of_protocol["by"] + " " + groups)
    shown = of_protocol.assign(group=groups, model=[titled(name) for name in of_protocol["model"]])
    shown = shown.drop(columns=["protocol", "by"])
    names = [capital(column.replace("_", " ")) for column in shown.columns]
    rows = shown.astype(object).to_numpy().tolist()
    return Table(f"By sex and age, {label}", names, rows)


def drawn_beside(kind: str) -> list[Table]:
    """Give the table that belongs to a kind of figure: the areas under the curves beside the first of these."""
    return [areas()] if kind == "roc" else []


def areas() -> Table:
    """List the areas under the curves of each class, model and protocol."""
    told = {(p, name): read_json(METRICS / p / f"{name}.json")["areas"] for p in PROTOCOLS for name in MODELS}
    labels = [read_json(METRICS / p / f"{MODELS[0]}.json")["protocol"] for p in PROTOCOLS]
    measures = {"roc_auc": "ROC AUC", "average_precision": "Average precision"}
    rows: list[list[Cell]] = [
        [aami_class, titled(name), *(told[p, name][aami_class][area] for area in measures for p in PROTOCOLS)]
        for aami_class in told[PROTOCOLS[0], MODELS[0]]
        for name in MODELS
    ]
    columns = ["Class", "Model", *(f"{area}, {label}" for area in measures.values() for label in labels)]
    note = "Of the probability of a class against all others. Average precision is that of the curves further below."
    return Table("Areas under the curves", columns, rows, note)


def cross_validation(report: Report) -> Table:
    """List the scores that the design was chosen by."""
    rows: list[list[Cell]] = []
    for name in MODELS:
        for protocol in PROTOCOLS:
            scores = read_json(METRICS / protocol / name / "training.json")["cross_validation"]
            label = report[protocol]["protocol"]
            rows.append([titled(name), label, scores["beats"], *(scores[key] for key in CROSS_VALIDATED)])
    columns = ["Model", "Protocol", "Beats", *(HEADLINES[key] for key in CROSS_VALIDATED)]
    note = "The training beats of the folds that were left out, each scored by the network that left out its fold."
    return Table("Cross-validation on the training beats", columns, rows, note)


def models_of(of_protocol: Report) -> list[str]:
    """Name the classifiers that were scored under a protocol, in order."""
    return [name for name, value in of_protocol.items() if isinstance(value, Mapping) and "per_class" in value]
