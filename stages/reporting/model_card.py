"""What the model card of each model says, after Mitchell et al., "Model cards for model reporting", FAT* 2019."""

import pandas as pd

from stages.config.params import Params
from stages.config.paths import METRICS
from stages.reporting import findings
from stages.reporting.pictures import Report, number, read_json
from stages.reporting.report import SCORES, interval_note, scores_of

CARD = """# Model card: {title}

**{warning}**

## Intended use

Research and teaching on automatic heartbeat classification, and a reference to compare other methods with. It takes
the beats of a recording of half an hour or so from one lead (MLII, where there is one), at their annotated fiducials,
and gives the probability of each AAMI class: N normal or bundle branch block, S supraventricular ectopic, V ventricular
ectopic, F fusion, Q paced or unclassifiable. Out of scope: diagnosis, monitoring, paced patients, recordings of a few
beats.

## Data and protocol

{database} ({dates}). {split}
The model averages {members} networks, each fitted {learned}.

- to learn from: {taught}
- test fold: {n_test:,} beats ({support})

The escape beats e and j are in N.

## Figures

| score | value and 95 % interval, bootstrap over records |
|---|---|
{figures}

{intervals}
SVEB and VEB are gross figures of AAMI EC57 after the learning period, the others count all test beats.
Expected calibration error {error}. Cross-validated macro F1 (N S V F), of the beats of the folds that
were left out: {cross_validated}.

## Limits

{limits}

{people}Scores by sex and age are in `metrics/compare/subgroups.csv`, those of each record in
`metrics/{place}/records.csv`.

The beats here are where people annotated them. {detected}

{without}
## Licence and citation

{licence}"""

DETECTED = {
    "inter_patient": (
        "Where a detector has to find them, expect less: `detect` writes those figures to "
        "`metrics/detection/detection.json`."
    ),
    "intra_patient": "With a detector to find them the model has not been scored.",
}
LICENCE = """{database.name} is under the {database.licence}. Cite: {database.cite}
"""
MADE_UP = "The records are made up, there is nothing to license or to cite.\n"


def model_card(protocol: str, name: str, params: Params, report: Report, intervals: pd.DataFrame) -> str:
    """Write ``models/<protocol>/<model>.md``.

    Parameters
    ----------
    protocol, name : str
    params : Params
    report : mapping
        As ``metrics/compare.json`` has it.
    intervals : DataFrame
        As ``metrics/compare/intervals.csv`` has it.

    Returns
    -------
    str
        Markdown.
    """
    database, label, scores = params.download.resolved_database, report[protocol]["protocol"], report[protocol][name]
    values = scores_of(label, intervals)
    told = read_json(METRICS / protocol / name / "training.json")["cross_validation"]
    figures = [f"| {title} | {values[name, score]} |" for score, title in SCORES.items()]
    without = [
        f"without record {record}: macro F1 (N S V F) {number(left['macro_f1_nsvf'])}, F1 S {number(left['f1_S'])}, "
        f"F1 V {number(left['f1_V'])}, F1 F {number(left['f1_F'])}"
        for record, left in scores["without"].items()
    ]
    ensemble = params.train.ensemble(protocol)
    return CARD.format(
        title=f"{name.upper()}, {label}",
        warning=findings.warning(database, [protocol]),
        database=f"{database.name} {database.version}",
        dates=database.dates,
        split=findings.split(protocol, database),
        taught=findings.taught(protocol, database),
        detected=DETECTED[protocol],
        licence=LICENCE.format(database=database) if database.licence else MADE_UP,
        members=ensemble.members,
        learned="to all training beats" if ensemble.refit else "without one fold of the training beats",
        n_test=scores["n_test"],
        support=", ".join(f"{of_class['support']:,} {c}" for c, of_class in scores["per_class"].items()),
        figures="\n".join(figures),
        intervals=interval_note(SCORES, {protocol: values}),
        error=f"{scores['expected_calibration_error']:.4f}",
        cross_validated=f"{told['macro_f1_nsvf']:.3f}",
        limits=findings.limits(protocol, name, database, scores["per_class"]),
        people=f"{database.people} " if database.people else "",
        place=f"{protocol}/{name}",
        without="".join(f"- {line}\n" for line in without),
    )
