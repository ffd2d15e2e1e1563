"""What ``metrics/report.html`` says: gathered from the scores, tables and figures that the stages have written."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from stages.config.params import MODELS, PROTOCOLS
from stages.config.paths import METRICS
from stages.ecg.aami import CLASSES
from stages.files.writing import read_json
from stages.reporting.findings import (
    capital,
    main_record,
    not_a_medical_device,
    on_both_sides,
    percent,
    test_records,
    titled,
)
from stages.reporting.page import Cell, Section, Shown, Table, Text, decimals, page
from stages.reporting.pictures import (
    KINDS,
    class_pictures,
    data_pictures,
    learning_curves,
    model_pictures,
    number,
    search_sections,
)
from stages.reporting.provenance import provenance
from stages.reporting.results import BEAT_SCORES, EC57_SCORES, SCORES, Intervals, Results, interval_note
from stages.scores.comparison import DIFFERENCE, UNKNOWN
from stages.scores.ec57 import AVERAGE, GROSS, show

ESCAPES_IN = {"e_j_in_n": "in N", "e_j_in_s": "in S"}
"""Convention -> where it files the escape beats e and j."""

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


def report_page(results: Results) -> str:
    """Write the report: one self-contained HTML page."""
    database, labels = results.database, results.labels
    inter, mixed = labels.values()
    lead = [
        f"A CNN, an RNN and the ensemble that averages them classify the beats of {database.name} {database.version} "
        "into the five AAMI classes N S V F Q, from one lead.",
        f"Under the protocol “{inter}” no patient is on both sides of the split{on_both_sides(database)}: those "
        f"figures predict how a new patient fares. Under the protocol “{mixed}” beats of one patient are on both "
        "sides, as in most tutorials.",
    ]
    pictures = [
        Section(kind.title, [Text([kind.words]), *areas_of(name, labels), *model_pictures(labels, name)], kind.columns)
        for name, kind in KINDS.items()
    ]
    sections = [
        Section(
            "What was found", [Text(list(findings(results))), Table("Classes and terms", ["Word", "Meaning"], WORDS)]
        ),
        Section("Headline scores", [HEADLINE_WORDS, headline_table(results)]),
        Section("Differences between models", [DIFFERENCE_WORDS, differences(results), mcnemar(results)]),
        Section("AAMI EC57", [EC57_WORDS, *(ec57_table(results, p) for p in PROTOCOLS), ec57_intervals(results)]),
        Section(
            "Without single records",
            [Text(list(why_without(results))), *(without(results, protocol) for protocol in PROTOCOLS)],
        ),
        Section("By sex and age", [GROUP_WORDS, *(by_group(label, results.subgroups) for label in labels.values())]),
        Section("Classes side by side", [CLASS_WORDS, *class_pictures(labels, results.scores)]),
        *pictures,
        Section("Training", [TRAINING_WORDS, cross_validation(labels), *learning_curves(labels)]),
        Section("Beats of the database", [DATA_WORDS, *data_pictures(database)]),
        *search_sections(),
        Section("Provenance", list(provenance(results.params))),
    ]
    return page("Heartbeat classification", lead, sections, not_a_medical_device(database, PROTOCOLS))


def findings(results: Results) -> Iterator[str]:
    """Say in a few sentences what the figures come to."""
    inter, mixed = (results.scores[protocol] for protocol in PROTOCOLS)
    yield (
        f"{capital(results.labels[PROTOCOLS[1]])} figures flatter: the macro F1 (N S V F) of the three models is "
        f"{span(mixed, 'macro_f1_nsvf')} there and {span(inter, 'macro_f1_nsvf')} for patients who were not trained "
        f"on. Accuracy is {span(mixed, 'accuracy')} and {span(inter, 'accuracy')}; calling every beat N scores "
        f"{decimals(baseline(PROTOCOLS[1]))} and {decimals(baseline(PROTOCOLS[0]))}."
    )
    fusion = ", ".join(f"{titled(name)} {percent(scores['se_F'])}" for name, scores in inter.items())
    yield f"Fusion beats of patients who were not trained on are found to this share: {fusion}."
    record, share = main_record(test_records(PROTOCOLS[0], MODELS[0])["S_support"])
    sentence = f"Record {record} has {percent(share)} of the S beats of the inter-patient test fold."
    if record in results.left_out:
        falls = ", ".join(
            f"{titled(name)} {number(scores['f1_S'])} and {number(scores[f'f1_S_without_{record}'])}"
            for name, scores in inter.items()
        )
        sentence += f" F1 of S with and without it: {falls}."
    yield sentence


def span(of_protocol: Mapping[str, Mapping[str, Any]], score: str) -> str:
    """Give the lowest and the highest score of the models."""
    values = sorted({decimals(scores[score]) for scores in of_protocol.values()})
    return values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"


def baseline(protocol: str) -> float:
    """Read the accuracy of calling every beat N."""
    return float(read_json(METRICS / protocol / MODELS[0] / "scores.json")["baseline_accuracy"])


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
        "epoch; the inter-patient ones are for this alone, and those of the ensemble are trained on all training beats."
    ]
)
DATA_WORDS = Text(["What there is to train on: the mean beat of each class, and how rare most classes are."])


def headline_table(results: Results) -> Table:
    """List the headline scores of each model under both protocols, with what one protocol has over the other."""
    rows = list(beside(BEAT_SCORES, results.intervals, difference=True))
    of_n = [baseline(protocol) for protocol in PROTOCOLS]
    rows.insert(len(rows) // len(BEAT_SCORES), ["Accuracy", "every beat N", *of_n, of_n[1] - of_n[0]])
    columns = ["Score", "Model", *map(capital, results.labels.values()), "Difference"]
    return Table("Scores under both protocols", columns, rows, interval_note(BEAT_SCORES, results.intervals))


def beside(names: Iterable[str], intervals: Mapping[str, Intervals], difference: bool = False) -> Iterator[list[Cell]]:
    """Put each score of each model under the protocols side by side, a row a score and model."""
    for name in names:
        for model in models_of(intervals):
            inter, mixed = (intervals[protocol][model, name] for protocol in PROTOCOLS)
            less = [mixed.value - inter.value] if difference else []
            yield [SCORES[name], titled(model), inter.shown, mixed.shown, *less]


def models_of(intervals: Mapping[str, Intervals]) -> list[str]:
    """Name the classifiers, in order, without the differences of two."""
    return [model for model in dict.fromkeys(model for model, _ in intervals[PROTOCOLS[0]]) if DIFFERENCE not in model]


def differences(results: Results) -> Table:
    """Say what one model has over another: paired bootstrap over records."""
    intervals = results.intervals
    pairs = [model for model in dict.fromkeys(model for model, _ in intervals[PROTOCOLS[0]]) if DIFFERENCE in model]
    rows: list[list[Cell]] = [
        [SCORES[name], titled(pair), *(intervals[protocol][pair, name].shown for protocol in PROTOCOLS)]
        for name in COMPARED
        for pair in pairs
    ]
    columns = ["Score", "Models", *map(capital, results.labels.values())]
    note = "SVEB and VEB after the learning period, the others of all test beats."
    return Table("One model less another", columns, rows, note)


def mcnemar(results: Results) -> Table:
    """List on how many beats only one of two models is right, and how likely that is by chance."""
    rows: list[list[Cell]] = [
        [
            titled(f"{test['first']} and {test['second']}"),
            test["protocol"],
            test["only_first_right"],
            test["only_second_right"],
            Shown(test["p_value"], f"{test['p_value']:.2g}"),
        ]
        for test in results.mcnemar.to_dict("records")
    ]
    columns = ["Models", "Protocol", "Only the first right", "Only the second right", "p"]
    note = "McNemar's test takes beats for independent, which they are not: believe the intervals before it."
    return Table("McNemar's test", columns, rows, note)


def ec57_table(results: Results, protocol: str) -> Table:
    """List the figures of both conventions for e and j, after the learning period and from the start; gross first."""
    label, views = results.labels[protocol], results.ec57
    of_protocol = views[views["protocol"] == label]
    rows: list[list[Cell]] = []
    for _, of_view in of_protocol.groupby(["convention", "period"], sort=False):
        for kind in (GROSS, AVERAGE):
            for view in of_view[of_view["kind"] == kind].to_dict("records"):
                start = Shown(view["start_s"], f"{view['start_s'] / 60:g}:00")
                escapes = ESCAPES_IN[view["convention"]]
                rows.append([titled(view["model"]), kind, start, escapes, view["n_scored"], *ratios(view)])
    names = [f"{ectopic} {ratio}" for ectopic in ("SVEB", "VEB") for ratio in ("Se", "+P", "FPR")]
    columns = ["Model", "Kind", "From", "e, j", "Beats", *names]
    return Table(f"EC57, {label}", columns, rows)


def ratios(view: Mapping[Any, Any]) -> list[Cell]:
    """Show Se, +P and FPR of both kinds of ectopic beats as ``bxb`` prints them."""
    digits = {"se": 2, "ppv": 2, "fpr": 3}
    values = [(view[f"{ectopic}_{ratio}"], places) for ectopic in ("sveb", "veb") for ratio, places in digits.items()]
    return [Shown(value, show(value, places)) for value, places in values]


def ec57_intervals(results: Results) -> Table:
    """List the main figures of EC57 with intervals."""
    labels = [capital(label) for label in results.labels.values()]
    note = f"Gross, after the learning period, e and j in N. {interval_note(EC57_SCORES, results.intervals)}"
    rows = list(beside(EC57_SCORES, results.intervals))
    return Table("EC57 with intervals", ["Score", "Model", *labels], rows, note)


def why_without(results: Results) -> Iterator[str]:
    """Say of each record that is left out what hangs on it."""
    counts = test_records(PROTOCOLS[0], MODELS[0])
    if not results.left_out:
        yield "None of the records that params.yaml names is in this database."
        return
    yield "One record can make or break a figure, so each of these is left out in turn."
    for record in results.left_out:
        shares = {name: counts[f"{name}_support"] / counts[f"{name}_support"].sum() for name in "SVF"}
        held = " and ".join(f"{percent(share[record])} of the {name} beats" for name, share in shares.items())
        other = results.database.shared.get(record)
        same = f", and is of the same patient as {other}, who is trained on" if other else ""
        yield f"Record {record} has {held} of the inter-patient test fold{same}."


def without(results: Results, protocol: str) -> Table:
    """List the scores without each of the records that much hangs on."""
    rows: list[list[Cell]] = [
        [titled(name), record, *(scores[f"{key}_without_{record}"] for key in WITHOUT)]
        for name, scores in results.scores[protocol].items()
        for record in results.left_out
        if f"accuracy_without_{record}" in scores
    ]
    columns = ["Model", "Without", *(SCORES[key] for key in WITHOUT)]
    note = "SVEB and VEB gross, after the learning period, the others of all test beats; e and j in N."
    return Table(f"Without single records, {results.labels[protocol]}", columns, rows, note)


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


def areas_of(kind: str, labels: Mapping[str, str]) -> list[Table]:
    """Give the areas under the curves beside the first kind of curves, and nothing beside other figures."""
    return [areas(labels)] if kind == "roc" else []


def areas(labels: Mapping[str, str]) -> Table:
    """List the areas under the curves of each class, model and protocol."""
    scores = {(p, name): read_json(METRICS / p / name / "scores.json") for p in labels for name in MODELS}
    measures = {"roc_auc": "ROC AUC", "average_precision": "Average precision"}
    rows: list[list[Cell]] = [
        [aami_class, titled(name), *(scores[p, name][f"{area}_{aami_class}"] for area in measures for p in labels)]
        for aami_class in CLASSES
        for name in MODELS
    ]
    columns = ["Class", "Model", *(f"{area}, {label}" for area in measures.values() for label in labels.values())]
    note = "Of the probability of a class against all others. Average precision is that of the curves further below."
    return Table("Areas under the curves", columns, rows, note)


def cross_validation(labels: Mapping[str, str]) -> Table:
    """List the scores that the design was chosen by."""
    rows: list[list[Cell]] = []
    for name in MODELS:
        for protocol, label in labels.items():
            scores = read_json(METRICS / "training" / protocol / name / "cross_validation.json")
            rows.append([titled(name), label, scores["beats"], *(scores[key] for key in CROSS_VALIDATED)])
    columns = ["Model", "Protocol", "Beats", *(BEAT_SCORES[key] for key in CROSS_VALIDATED)]
    note = "The training beats of the folds that were left out, each scored by the network that left out its fold."
    return Table("Cross-validation on the training beats", columns, rows, note)
