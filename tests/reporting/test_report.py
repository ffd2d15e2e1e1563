"""What the report and the model cards say of the committed scores."""

import json
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from stages.config.params import PROTOCOLS, load_params
from stages.ecg.folds import PROTOCOL_LABELS
from stages.reporting import findings, pictures, provenance
from stages.reporting import report as contents
from stages.reporting.model_card import model_card
from stages.reporting.page import Picture, Shown

PARAMS = load_params()
MADE_UP = PARAMS.model_copy(update={"download": PARAMS.download.model_copy(update={"source": "synthetic"})})


@pytest.fixture(scope="module")
def report():
    return json.loads(Path("metrics/compare.json").read_text())


@pytest.fixture(scope="module")
def tables():
    return {name: pd.read_csv(Path("metrics/compare") / f"{name}.csv") for name in ("intervals", "subgroups")}


@pytest.fixture(scope="module")
def scores(tables):
    return {p: contents.scores_of(label, tables["intervals"]) for p, label in PROTOCOL_LABELS.items()}


@pytest.fixture(scope="module")
def html(report, tables):
    return contents.report_page(PARAMS, report, tables)


class Outline(HTMLParser):
    """The headings of a page, each with the captions and the alternative texts of the pictures below it."""

    def __init__(self, html):
        super().__init__()
        self.pictures, self.alts, self.within = {}, [], None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.within = tag
        if tag == "img":
            self.alts.append(dict(attrs)["alt"])

    def handle_data(self, data):
        if self.within == "h2" and data.strip():
            self.pictures[data.strip()] = []
        if self.within == "figcaption" and data.strip():
            self.pictures[list(self.pictures)[-1]].append(data.strip())

    def handle_endtag(self, tag):
        self.within = None


def test_the_report_has_every_section_with_a_picture_of_each_model_under_each_protocol(html):
    outline = Outline(html)
    assert list(outline.pictures)[:2] == ["What was found", "Headline scores"]
    assert list(outline.pictures)[-1] == "Provenance"
    assert {"Differences between models", "AAMI EC57", "Without single records", "By sex and age"} <= set(
        outline.pictures
    )
    assert len(outline.pictures["Classes side by side"]) == len(outline.pictures["Beats of the database"]) == 2
    assert len(outline.pictures["Hyperparameter searches"]) == 6
    whose = [f"{model}, {label}" for model in ("CNN", "RNN") for label in PROTOCOL_LABELS.values()]
    for title in (*(kind.title for kind in pictures.KINDS.values()), "Training"):
        assert [caption.split(": ")[1] for caption in outline.pictures[title]] == whose


def test_no_two_pictures_are_told_alike_and_the_page_stays_small(html):
    alts = Outline(html).alts
    assert len(alts) == len(set(alts)) == 42
    assert all(len(alt) > 40 and "nan" not in alt for alt in alts)
    assert len(html.encode()) < 3_000_000


def test_without_a_search_there_is_no_section_on_it(tmp_path, monkeypatch):
    assert [section.title for section in pictures.search_sections()] == ["Hyperparameter searches"]
    monkeypatch.chdir(tmp_path)
    assert pictures.search_sections() == []


def test_a_picture_is_read_out_from_what_it_shows(report):
    cnn = report["inter_patient"]["cnn"]["per_class"]
    alts = {name: kind.alt("inter_patient", "cnn") for name, kind in pictures.KINDS.items()}
    assert f"Of {cnn['V']['support']:,} V beats are called" in alts["confusion"]
    told = json.loads(Path("metrics/inter_patient/cnn.json").read_text())
    assert f"S {told['areas']['S']['roc_auc']:.3f}" in alts["roc"]
    assert f"S {told['areas']['S']['average_precision']:.3f}" in alts["pr"]
    assert f"error {told['expected_calibration_error']:.4f}" in alts["reliability"]
    worst = pd.read_csv("metrics/inter_patient/cnn/records.csv", dtype={"record": str}).sort_values("accuracy").iloc[0]
    assert f"lowest accuracies: {worst['record']} {worst['accuracy']:.3f}" in alts["records"]
    assert "true classes in rows" in alts["pairs"]
    first = pd.read_csv("metrics/inter_patient/cnn/mistakes.csv", dtype={"record": str}).iloc[0]
    assert f"record {first['record']} at {first['time_s']:.1f} s, {first['true']} called" in alts["mistakes"]


def test_both_protocols_stand_side_by_side_with_the_baseline(report, scores):
    table = contents.headline_table(report, scores)
    assert table.columns == ["Score", "Model", "Inter-patient", "Patient-mixed", "Difference"]
    assert [row[:2] for row in table.rows[:4]] == [
        ["Accuracy", who] for who in ("CNN", "RNN", "ensemble", "every beat N")
    ]
    inter, mixed = (report[protocol]["cnn"]["accuracy"] for protocol in PROTOCOLS)
    assert [cell.value for cell in table.rows[0][2:4]] == pytest.approx([inter, mixed], abs=1e-6)
    assert table.rows[0][4] == pytest.approx(mixed - inter, abs=1e-5)
    assert table.rows[0][2].text.startswith(f"{inter:.3f} (")
    assert table.rows[3][2:4] == pytest.approx([0.890, 0.828], abs=5e-4)
    assert len(table.rows) == 3 * len(contents.HEADLINES) + 1


def test_a_score_says_what_its_interval_is_worth():
    nan = float("nan")
    assert str(contents.Score(0.5, 0.25, 0.75, 1)) == "0.500 (0.250 to 0.750)"
    assert str(contents.Score(0.5, 0.25, 0.75, 0.98)) == "0.500 (0.250 to 0.750)†"
    assert str(contents.Score(-0.0002, -0.0004, 0.001, 1)) == "0.000 (0.000 to 0.001)"
    assert str(contents.Score(0.0, 0.0, 0.0, 1)) == "0.000 (not estimable)"
    assert str(contents.Score(nan, nan, nan, 0)) == "-"


def test_the_share_of_resamples_that_define_a_score_is_told():
    found = {("cnn", "f1_F"): contents.Score(0.5, 0.25, 0.75, 0.984), ("cnn", "f1_V"): contents.Score(0.5, 0.2, 0.7, 1)}
    note = contents.interval_note(["f1_F", "f1_V"], {"inter_patient": found})
    assert note == "† Of the resamples in which the score is defined, at least: F1 F 98.40 %."
    assert contents.interval_note(["f1_V"], {"inter_patient": found}) == ""


def test_differences_have_intervals_for_plain_and_ec57_scores(scores):
    table = contents.differences(list(PROTOCOL_LABELS.values()), scores)
    assert {row[0] for row in table.rows} >= {"Accuracy", "F1 S", "F1 V", "VEB Se", "VEB +P"}
    assert table.rows[0][:2] == ["Accuracy", "RNN − CNN"]
    assert all(isinstance(cell, Shown) for row in table.rows for cell in row[2:])


def test_ec57_is_listed_under_both_conventions_with_what_bxb_is_asked_for_first(report):
    table = contents.ec57_table(report["inter_patient"])
    assert len(table.rows) == 3 * 2 * 2 * 2
    first = report["inter_patient"]["cnn"]["ec57"]["e_j_in_n"]["scored"]["gross"]
    assert table.rows[0][:4] == ["CNN", "gross", Shown(300.0, "5:00"), "in N"]
    assert table.rows[0][5] == Shown(first["sveb"]["se"], f"{100 * first['sveb']['se']:.2f}")
    assert table.rows[0][10] == Shown(first["veb"]["fpr"], f"{100 * first['veb']['fpr']:.3f}")
    assert {row[3] for row in table.rows} == {"in N", "in S"}


def test_each_record_that_is_left_out_has_its_reason(report):
    said = " ".join(contents.why_without(report, PARAMS.download.resolved_database))
    assert "of the same patient as 201" in said
    assert "93 % of the F beats" in said
    assert "Record 232 has 75 % of the S beats" in said


def test_what_was_found_comes_from_the_numbers(report):
    said = " ".join(contents.found(report))
    assert f"{report['inter_patient']['cnn']['without']['232']['f1_S']:.3f}" in said
    assert "Record 232 has 75 % of the S beats" in said
    assert "calling every beat N scores 0.828 and 0.890" in said


def test_provenance_names_commit_data_packages_and_parameters():
    listing, _, parameters = provenance.provenance(PARAMS)
    terms = dict(listing.items)
    assert len(terms["Commit"].split(",")[0]) == 40
    assert "mitdb 1.0.0" in terms["Data"]
    required = {line.split("==")[0] for line in Path("requirements.txt").read_text().splitlines()}
    assert set(provenance.PACKAGES) <= set(terms) & required
    assert terms["Python"].startswith("3.")
    [term] = [term for term, value in terms.items() if len(value) == 64]
    assert "146 files" in term
    assert ("train.cnn.batch_size", str(PARAMS.train.cnn.batch_size)) in parameters.items
    assert "download.seed" not in dict(parameters.items)


def test_a_label_keeps_its_capitals():
    assert findings.capital("inter-patient, SYNTHETIC data") == "Inter-patient, SYNTHETIC data"


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
    for line in ("| VEB FPR | ", "| F1 S | ", "| Macro F1 (N S V F) | "):
        assert card.count(line) == 1
    assert "to learn from: 51,021 beats (45,866 N, 944 S, 3,788 V, 415 F, 8 Q), 22 records of 22 patients" in card
    assert "metrics/detection/detection.json" in card
    assert "Open Data Commons Attribution License" in card
    assert "Moody GB, Mark RG" in card
    mixed = model_card("intra_patient", "rnn", PARAMS, report, tables["intervals"])
    assert "take the inter-patient model" in mixed
    assert "48 records of 47 patients" in mixed


def test_nothing_is_said_of_the_patients_of_made_up_records(report, tables, monkeypatch):
    dot = Path("metrics/explore/class_counts.png").read_bytes()[:33]
    monkeypatch.setattr(pictures, "picture", lambda path, caption, alt, colours=0: Picture(dot, caption, alt))
    monkeypatch.setattr(findings, "learned", lambda database: pd.DataFrame({"F": [3]}, index=["s01"]))
    card = model_card("inter_patient", "cnn", MADE_UP, report, tables["intervals"])
    page = contents.report_page(MADE_UP, report, tables)
    assert findings.SYNTHETIC in card
    assert findings.SYNTHETIC in page
    for text in (card, page):
        for of_mitdb in ("1975 and", "1975 to", "202, which", "23 to 89", "hospital", "de Chazal", "paced,", "Moody"):
            assert of_mitdb not in text.replace("paced patients", "")
    listing, *_ = provenance.provenance(MADE_UP)
    assert "made the records up" in dict(listing.items)["SHA-256 of the data"]
