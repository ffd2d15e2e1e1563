"""What the report and the model cards say of the committed scores."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from stages import contents, findings, provenance
from stages.cards import model_card
from stages.params import PROTOCOLS, load_params
from stages.report.page import Shown

PARAMS = load_params()
MADE_UP = PARAMS.model_copy(update={"download": PARAMS.download.model_copy(update={"source": "synthetic"})})


@pytest.fixture(scope="module")
def report():
    return json.loads(Path("metrics/compare.json").read_text())


@pytest.fixture(scope="module")
def tables():
    return {name: pd.read_csv(Path("metrics/compare") / f"{name}.csv") for name in ("intervals", "subgroups")}


def test_headline_scores_have_their_intervals(report, tables):
    table = contents.scores_table("inter-patient", tables["intervals"])
    assert [row[0] for row in table.rows] == ["cnn", "rnn", "ensemble"]
    accuracy = report["inter_patient"]["cnn"]["accuracy"]
    assert table.rows[0][1].value == pytest.approx(accuracy, abs=1e-6)
    assert table.rows[0][1].text.startswith(f"{accuracy:.3f} (")


def test_scores_that_are_not_defined_print_as_dashes():
    nan = float("nan")
    assert str(contents.Score(0.5, 0.25, 0.75)) == "0.500 (0.250 to 0.750)"
    assert str(contents.Score(0.5, nan, nan)) == "0.500 (- to -)"
    assert str(contents.Score(-0.0002, -0.0004, 0.001)) == "0.000 (0.000 to 0.001)"


def test_ec57_is_listed_under_both_conventions_gross_and_average(report):
    table = contents.ec57_table(report["inter_patient"])
    assert len(table.rows) == 3 * 2 * 2 * 2
    assert {row[1] for row in table.rows} == {"e and j in N", "e and j in S"}
    first = report["inter_patient"]["cnn"]["ec57"]["e_j_in_n"]["scored"]["gross"]
    assert table.rows[0][5] == Shown(first["sveb"]["se"], f"{100 * first['sveb']['se']:.2f}")
    assert table.rows[0][10] == Shown(first["veb"]["fpr"], f"{100 * first['veb']['fpr']:.3f}")


def test_provenance_names_commit_data_packages_and_parameters():
    listing, _, parameters = provenance.provenance(PARAMS)
    terms = dict(listing.items)
    assert len(terms["Commit"].split(",")[0]) == 40
    assert "mitdb 1.0.0" in terms["Data"]
    assert {"keras", "numpy", "wfdb"} <= set(terms)
    [term] = [term for term, value in terms.items() if len(value) == 64]
    assert "146 files" in term
    assert ("train.cnn.batch_size", str(PARAMS.train.cnn.batch_size)) in parameters.items
    assert "download.seed" not in dict(parameters.items)


def test_a_folder_outside_git_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert provenance.commit() == "not known, this is no Git repository"


def test_a_commit_of_figures_alone_leaves_the_name_of_the_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True
        )

    git("init")
    Path("stages").mkdir()
    for name in provenance.MADE_BY[1:]:
        Path(name).write_text("1")
    Path("stages/a.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "code")
    before = provenance.commit()
    Path("metrics.json").write_text("1")
    git("add", ".")
    git("commit", "-m", "figures")
    assert provenance.commit() == before
    Path("params.yaml").write_text("2")
    assert provenance.commit() == f"{before}, and changes that are not committed"


def test_a_model_card_says_what_the_model_is_not_for(report, tables):
    card = model_card("inter_patient", "cnn", PARAMS, report, tables["intervals"])
    assert "**Not a medical device" in card
    assert "de Chazal" in card
    assert "without record 232" in card
    assert f"{report['inter_patient']['cnn']['n_test']:,} beats" in card
    assert "{" not in card
    assert "44 records of 43 patients" in card
    assert "record 202, which is of the same patient as 201" in card
    assert "90 % of those to learn from are of record 208. 75 % of its S beats are of record 232" in card
    mixed = model_card("intra_patient", "rnn", PARAMS, report, tables["intervals"])
    assert "take the inter-patient model" in mixed
    assert "48 records of 47 patients" in mixed


def test_nothing_is_said_of_the_patients_of_made_up_records(report, tables, monkeypatch):
    made_up = MADE_UP.download.resolved_database
    monkeypatch.setattr(findings, "learned", lambda database: pd.DataFrame({"F": [3]}, index=["s01"]))
    card = model_card("inter_patient", "cnn", MADE_UP, report, tables["intervals"])
    said = [card, findings.warning(made_up, PROTOCOLS), *(findings.split(protocol, made_up) for protocol in PROTOCOLS)]
    assert findings.SYNTHETIC in card
    for text in said:
        for of_mitdb in ("1975", "202, which", "23 to 89", "hospital", "de Chazal", "paced,"):
            assert of_mitdb not in text.replace("paced patients", "")
    listing, *_ = provenance.provenance(MADE_UP)
    assert "made the records up" in dict(listing.items)["SHA-256 of the data"]
