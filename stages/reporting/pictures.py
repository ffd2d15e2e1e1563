"""The pictures of the report, each with the words that stand for it where it cannot be seen."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from PIL import Image

from stages.config.params import MODELS
from stages.config.paths import METRICS
from stages.ecg.aami import CLASSES
from stages.ecg.databases import Database
from stages.files.writing import read_json
from stages.reporting.findings import percent, test_records, titled
from stages.reporting.page import Picture, Section, Text, decimals

COLOURS_KEPT = 64
"""Colours of a picture in the report: as many as make it look the same at a quarter of the size."""

SHADES_KEPT = 192
"""The same, of a picture with a colour bar, which fewer colours would cut into bands."""

NAMED = 3
"""Records, bins or pairs of classes that an alternative text names, the worst first."""

Scores = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Protocol -> model -> its scores, flat, as ``metrics/compare/scores.json`` has them."""

FIGURES = METRICS / "figures"


def confusion_alt(protocol: str, name: str) -> str:
    """Read the confusion matrix out, row by row."""
    rows = []
    for true, of_class in confusion(protocol, name).iterrows():
        called = ", ".join(f"{count:,} {predicted}" for predicted, count in of_class.items() if count)
        rows.append(f"Of {of_class.sum():,} {true} beats are called {called}" if called else f"No {true} beats")
    return f"{'. '.join(rows)}."


def roc_alt(protocol: str, name: str) -> str:
    """Read the areas under the ROC curves out."""
    return f"Curves of each class against the rest. Areas under them: {areas_of_classes(protocol, name, 'roc_auc')}."


def pr_alt(protocol: str, name: str) -> str:
    """Read the average precisions out."""
    said = areas_of_classes(protocol, name, "average_precision")
    return f"Curves of each class against the rest. Average precision: {said}."


def reliability_alt(protocol: str, name: str) -> str:
    """Say how far confidence can be believed."""
    error = read_json(METRICS / protocol / name / "scores.json")["expected_calibration_error"]
    bins = pd.read_csv(METRICS / protocol / name / "reliability.csv")
    off = (bins["confidence"] - bins["accuracy"]).abs()
    farthest = bins.loc[(off * bins["beats"]).sort_values(ascending=False).index].head(NAMED)
    said = "; ".join(
        f"{percent(row['accuracy'])} of {row['beats']:,.0f} beats at a confidence of {row['confidence']:.2f}"
        for row in farthest.to_dict("records")
    )
    return f"Expected calibration error {error:.4f}. What weighs most in it: right are {said}."


def records_alt(protocol: str, name: str) -> str:
    """Name the records with the lowest accuracy."""
    accuracy = test_records(protocol, name)["accuracy"].sort_values(kind="stable")
    worst = ", ".join(f"{record} {decimals(value)}" for record, value in accuracy.head(NAMED).items())
    return f"A row for each of {len(accuracy)} records. The lowest accuracies: {worst}."


def pairs_alt(protocol: str, name: str) -> str:
    """Name the classes that are most often taken for each other."""
    counts = confusion(protocol, name).reset_index(names="true").melt("true", var_name="called", value_name="beats")
    wrong = counts[counts["true"] != counts["called"]].sort_values("beats", ascending=False, kind="stable")
    worst = wrong.head(NAMED).itertuples(index=False)
    said = ", ".join(f"{beats:,} {true} called {called}" for true, called, beats in worst)
    return f"A grid of mean beats, true classes in rows, predicted ones in columns. Most often wrong: {said}."


def mistakes_alt(protocol: str, name: str) -> str:
    """List the beats that are shown."""
    table = pd.read_csv(METRICS / protocol / name / "mistakes.csv", dtype={"record": str}, keep_default_na=False)
    said = "; ".join(
        f"{row['record']} at {row['time_s']:.1f} s, {row['true']} called {row['predicted']} "
        f"with {decimals(row['confidence'])}"
        for row in table.to_dict("records")
    )
    return f"Rhythm strips of record {said}." if said else "No beat is called wrong."


@dataclass(frozen=True)
class Kind:
    """One figure of each model under each protocol: a section of the report."""

    title: str
    words: str
    alt: Callable[[str, str], str]
    columns: Literal[1, 2] = 2
    colours: int = COLOURS_KEPT


KINDS = {
    "confusion": Kind(
        "Confusion matrices", "Counts and shares of each true class (rows) by predicted class (columns).", confusion_alt
    ),
    "roc": Kind("ROC curves", "True positive over false positive rate, each class against the rest.", roc_alt),
    "pr": Kind(
        "Precision and recall",
        "Precision over recall, each class against the rest: for rare classes it tells more than the ROC curve.",
        pr_alt,
    ),
    "reliability": Kind(
        "Reliability",
        "How many of the beats that are called with some confidence are right, and how many such beats there are: on "
        "the diagonal, confidence can be believed. Hollow points are of fewer than 20 beats.",
        reliability_alt,
    ),
    "records": Kind(
        "Per-record scores",
        "Sensitivity (of how many beats) and positive predictivity of S, V and F in each record: who makes a figure.",
        records_alt,
        1,
        SHADES_KEPT,
    ),
    "pairs": Kind(
        "Averaged beats of each pair",
        "The mean beat of each pair of true (row) and predicted (column) class, with its number of beats.",
        pairs_alt,
        1,
    ),
    "mistakes": Kind(
        "Most confidently wrong beats",
        "The rhythm around the beats that were called wrong with the highest probabilities, two of a record at most. "
        "What the network sees of the beat is shaded; the letters are the true symbols.",
        mistakes_alt,
        1,
    ),
}


def model_pictures(labels: Mapping[str, str], kind: str) -> Iterator[Picture]:
    """Show one kind of figure of each model, the protocols (and how they are called) beside each other."""
    for name in MODELS:
        for protocol, label in labels.items():
            caption = f"{KINDS[kind].title}: {titled(name)}, {label}"
            path, alt = FIGURES / protocol / name / f"{kind}.png", KINDS[kind].alt(protocol, name)
            yield picture(path, caption, alt, KINDS[kind].colours)


def class_pictures(labels: Mapping[str, str], scores: Scores) -> Iterator[Picture]:
    """Show precision, recall and F1 of the models side by side."""
    for protocol, label in labels.items():
        caption = f"Precision, recall and F1 of each class, CNN, RNN and ensemble side by side, {label}"
        alt = "; ".join(f"{titled(name)}: {f1_of_classes(of_model)}" for name, of_model in scores[protocol].items())
        yield picture(FIGURES / "compare" / f"{protocol}.png", caption, f"Bar charts. {alt}.")


def learning_curves(labels: Mapping[str, str]) -> Iterator[Picture]:
    """Show how the networks of the cross-validation were fitted."""
    for name in MODELS:
        for protocol, label in labels.items():
            folds = pd.read_csv(METRICS / "training" / protocol / name / "folds.csv", dtype={"fold": str})
            epochs = zip(folds["fold"], folds["best_epoch"], strict=True)
            alt = ", ".join(f"without fold {fold} {epoch}" for fold, epoch in epochs)
            caption = f"Loss and validation scores of each network: {titled(name)}, {label}"
            path = FIGURES / "training" / f"{protocol}_{name}.png"
            yield picture(path, caption, f"Learning curves. Epoch that was kept: {alt}.")


def data_pictures(database: Database) -> Iterator[Picture]:
    """Show what beats there are."""
    name = f"{database.name} {database.version}"
    counts = pd.read_csv(METRICS / "explore" / "class_counts.csv")
    for file, what, of_set in (("mean_beats", "Mean beat", "all"), ("class_counts", "Beats", None)):
        caption = f"{what} of each class, {name}"
        sets = [of_set] if of_set else list(counts["set"].unique())
        beats = "; ".join(f"{one.replace('_', ' ')}: {counts_of(counts[counts['set'] == one])}" for one in sets)
        yield picture(FIGURES / "explore" / f"{file}.png", caption, f"{caption}. Beats, {beats}.")


def search_sections() -> list[Section]:
    """Show the searches that were drawn, if there are any: a rebuild need not run them."""
    shown = {
        "history": ("score of each trial", COLOURS_KEPT),
        "parallel": ("hyperparameters and score of each trial", SHADES_KEPT),
        "importance": ("how much hangs on each hyperparameter", COLOURS_KEPT),
    }
    folder = METRICS / "sweep"
    blocks: list[Text | Picture] = []
    for name in MODELS:
        described, drawn = folder / name / "search.json", [folder / "figures" / f"{name}_{kind}.png" for kind in shown]
        if described.is_file() and all(path.is_file() for path in drawn):
            search = read_json(described)
            states = ("complete", "pruned", "failed", "interrupted")
            trials = ", ".join(f"{count} {state}" for state in states if (count := search[f"trials_{state}"]))
            for path, (what, colours) in zip(drawn, shown.values(), strict=True):
                caption = f"{titled(search['title'])}, {what}"
                blocks.append(picture(path, caption, f"{caption}. Trials: {trials}.", colours))
    words = "Trials of hyperparameters, each scored by cross-validation on the training patients."
    return [Section("Hyperparameter searches", [Text([words]), *blocks])] if blocks else []


def confusion(protocol: str, name: str) -> pd.DataFrame:
    """Count the beats of every pair of true (row) and predicted class."""
    pairs = pd.read_csv(METRICS / protocol / name / "confusion.csv", keep_default_na=False)
    counts = pairs.set_index(["actual", "predicted"])["beats"].unstack("predicted")  # noqa: PD010
    return counts.loc[list(CLASSES), list(CLASSES)]


def areas_of_classes(protocol: str, name: str, area: str) -> str:
    """Read an area under the curves of each class out."""
    scores = read_json(METRICS / protocol / name / "scores.json")
    return ", ".join(f"{c} {number(scores[f'{area}_{c}'])}" for c in CLASSES)


def counts_of(of_set: pd.DataFrame) -> str:
    """Read the number of beats of each class out."""
    return ", ".join(f"{count:,} {c}" for c, count in zip(of_set["class"], of_set["beats"], strict=True))


def f1_of_classes(scores: Mapping[str, Any]) -> str:
    """Read the F1 of each class out."""
    return ", ".join(f"F1 {name} {number(scores[f'f1_{name}'])}" for name in CLASSES)


def number(value: float | None) -> str:
    """Print a score."""
    return "not defined" if value is None else decimals(value)


def picture(path: Path, caption: str, alt: str, colours: int = COLOURS_KEPT) -> Picture:
    """Read a figure, with fewer colours."""
    with Image.open(path) as figure:
        reduced = figure.convert("RGB").quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    file = io.BytesIO()
    reduced.save(file, "PNG", optimize=True)
    return Picture(file.getvalue(), caption, alt)
