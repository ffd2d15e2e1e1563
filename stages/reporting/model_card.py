"""What the model card of each model says, after Mitchell et al., "Model cards for model reporting", FAT* 2019."""

from pathlib import Path

import jinja2

from stages.config.paths import METRICS
from stages.ecg.aami import CLASSES
from stages.files.writing import read_json
from stages.reporting import findings
from stages.reporting.pictures import number
from stages.reporting.results import SCORES, Results, interval_note

TOLD_WITHOUT = ("macro_f1_nsvf", "f1_S", "f1_V", "f1_F")
"""Scores that are told without single records."""


def model_card(protocol: str, name: str, results: Results) -> str:
    """Write ``models/<protocol>/<model>.md``.

    Parameters
    ----------
    protocol, name : str
        Of the model.
    results : Results

    Returns
    -------
    str
        Markdown.
    """
    database, scores, values = results.database, results.scores[protocol][name], results.intervals[protocol]
    validated = read_json(METRICS / "training" / protocol / name / "cross_validation.json")
    ensemble = results.params.train.ensemble(protocol)
    without = [
        (record, {key: number(scores[f"{key}_without_{record}"]) for key in TOLD_WITHOUT})
        for record in results.left_out
        if f"accuracy_without_{record}" in scores
    ]
    return _TEMPLATE.render(
        title=f"{name.upper()}, {results.labels[protocol]}",
        warning=findings.not_a_medical_device(database, [protocol]),
        protocol=protocol,
        database=database,
        split=findings.split(protocol, database),
        training_beats=findings.training_beats(protocol, database),
        members=ensemble.members,
        fitted_to="to all training beats" if ensemble.refit else "without one fold of the training beats",
        n_test=scores["n_test"],
        support=", ".join(f"{scores[f'support_{c}']:,} {c}" for c in CLASSES),
        figures=[(title, values[name, score]) for score, title in SCORES.items()],
        interval_note=interval_note(SCORES, {protocol: values}),
        calibration_error=scores["expected_calibration_error"],
        cross_validated=validated["macro_f1_nsvf"],
        limits=findings.limits(protocol, name, database, scores["se_F"]),
        place=f"{protocol}/{name}",
        without=without,
    )


_TEMPLATE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("card.md.jinja")
