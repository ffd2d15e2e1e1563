"""What the report and the model cards say of the committed scores."""

import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from stages.config.params import PROTOCOLS, load_params
from stages.ecg.folds import PROTOCOL_LABELS
from stages.files.writing import read_json
from stages.reporting import findings, pictures, provenance
from stages.reporting import report as contents
from stages.reporting.model_card import model_card
from stages.reporting.page import Picture, Shown
from stages.reporting.results import BEAT_SCORES, Score, interval_note, read_results

PARAMS = load_params()
MADE_UP = PARAMS.model_copy(update={"download": PARAMS.download.model_copy(update={"source": "synthetic"})})


@pytest.fixture(scope="module")
def results():
    return read_results(PARAMS)


@pytest.fixture(scope="module")
def html(results):
    return contents.report_page(results)


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


def test_a_picture_is_read_out_from_what_it_shows(results):
    cnn = results.scores["inter_patient"]["cnn"]
    alts = {name: kind.alt("inter_patient", "cnn") for name, kind in pictures.KINDS.items()}
    assert f"Of {cnn['support_V']:,} V beats are called" in alts["confusion"]
    scores = read_json(Path("metrics/inter_patient/cnn/scores.json"))
    assert f"S {scores['roc_auc_S']:.3f}" in alts["roc"]
    assert f"S {scores['average_precision_S']:.3f}" in alts["pr"]
    assert f"error {scores['expected_calibration_error']:.4f}" in alts["reliability"]
    worst = pd.read_csv("metrics/inter_patient/cnn/records.csv", dtype={"record": str}).sort_values("accuracy").iloc[0]
    assert f"lowest accuracies: {worst['record']} {worst['accuracy']:.3f}" in alts["records"]
    assert "true classes in rows" in alts["pairs"]
    first = pd.read_csv("metrics/inter_patient/cnn/mistakes.csv", dtype={"record": str}).iloc[0]
    assert f"record {first['record']} at {first['time_s']:.1f} s, {first['true']} called" in alts["mistakes"]


def test_both_protocols_stand_side_by_side_with_the_baseline(results):
    table = contents.headline_table(results)
    assert table.columns == ["Score", "Model", "Inter-patient", "Patient-mixed", "Difference"]
    assert [row[:2] for row in table.rows[:4]] == [
        ["Accuracy", who] for who in ("CNN", "RNN", "ensemble", "every beat N")
    ]
    inter, mixed = (results.scores[protocol]["cnn"]["accuracy"] for protocol in PROTOCOLS)
    assert [cell.value for cell in table.rows[0][2:4]] == pytest.approx([inter, mixed], abs=1e-6)
    assert table.rows[0][4] == pytest.approx(mixed - inter, abs=1e-5)
    assert table.rows[0][2].text.startswith(f"{inter:.3f} (")
    assert table.rows[3][2:4] == pytest.approx([0.890, 0.828], abs=5e-4)
    assert len(table.rows) == 3 * len(BEAT_SCORES) + 1


def test_a_score_says_what_its_interval_is_worth():
    nan = float("nan")
    assert str(Score(0.5, 0.25, 0.75, 1)) == "0.500 (0.250 to 0.750)"
    assert str(Score(0.5, 0.25, 0.75, 0.98)) == "0.500 (0.250 to 0.750)†"
    assert str(Score(-0.0002, -0.0004, 0.001, 1)) == "0.000 (0.000 to 0.001)"
    assert str(Score(0.0, 0.0, 0.0, 1)) == "0.000 (not estimable)"
    assert str(Score(nan, nan, nan, 0)) == "-"


def test_the_share_of_resamples_that_define_a_score_is_told():
    intervals = {
        ("cnn", "f1_F"): Score(0.5, 0.25, 0.75, 0.984),
        ("cnn", "f1_V"): Score(0.5, 0.2, 0.7, 1),
    }
    note = interval_note(["f1_F", "f1_V"], {"inter_patient": intervals})
    assert note == "† Of the resamples in which the score is defined, at least: F1 F 98.40 %."
    assert interval_note(["f1_V"], {"inter_patient": intervals}) == ""


def test_scores_that_no_resample_changes_are_noted_once_and_undefined_ones_are_not():
    nan = float("nan")
    never_found = {
        ("cnn", "f1_F"): Score(0.0, 0.0, 0.0, 0.9),
        ("cnn", "f1_V"): Score(nan, nan, nan, 0),
    }
    note = interval_note(["f1_F", "f1_V"], {"inter_patient": never_found})
    assert note == "Not estimable: all resamples score alike, so they say nothing of other patients."
    assert interval_note(["f1_V"], {"inter_patient": never_found}) == ""


def test_differences_have_intervals_for_beat_and_ec57_scores(results):
    table = contents.differences(results)
    assert {row[0] for row in table.rows} >= {"Accuracy", "F1 S", "F1 V", "VEB Se", "VEB +P"}
    assert table.rows[0][:2] == ["Accuracy", "RNN − CNN"]
    assert all(isinstance(cell, Shown) for row in table.rows for cell in row[2:])


def test_ec57_is_listed_under_both_conventions_with_what_bxb_is_asked_for_first(results):
    table = contents.ec57_table(results, "inter_patient")
    assert len(table.rows) == 3 * 2 * 2 * 2
    first = results.scores["inter_patient"]["cnn"]
    assert table.rows[0][:4] == ["CNN", "gross", Shown(300.0, "5:00"), "in N"]
    assert table.rows[0][5].text == f"{100 * first['sveb_se']:.2f}"
    assert table.rows[0][5].value == pytest.approx(first["sveb_se"], abs=1e-6)
    assert table.rows[0][10].text == f"{100 * first['veb_fpr']:.3f}"
    assert {row[3] for row in table.rows} == {"in N", "in S"}


def test_each_record_that_is_left_out_has_its_reason(results):
    text = " ".join(contents.why_without(results))
    assert "of the same patient as 201" in text
    assert "93 % of the F beats" in text
    assert "Record 232 has 75 % of the S beats" in text


def test_what_was_found_comes_from_the_numbers(results):
    text = " ".join(contents.findings(results))
    assert f"{results.scores['inter_patient']['cnn']['f1_S_without_232']:.3f}" in text
    assert "Record 232 has 75 % of the S beats" in text
    assert "calling every beat N scores 0.828 and 0.890" in text


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
    Path("sweeps").mkdir()
    Path("sweeps/cnn.yaml").write_text("1")
    for name in provenance.MADE_BY[2:]:
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


def test_a_model_card_says_what_the_model_is_not_for(results):
    card = model_card("inter_patient", "cnn", results)
    assert "**Not a medical device" in card
    assert "de Chazal" in card
    assert "without record 232" in card
    assert f"{results.scores['inter_patient']['cnn']['n_test']:,} beats" in card
    assert "{" not in card
    assert "44 records of 43 patients" in card
    assert "record 202, which is of the same patient as 201" in card
    assert "90 % of those to train on are of record 208. 75 % of its S beats are of record 232" in card
    for line in ("| VEB FPR | ", "| F1 S | ", "| Macro F1 (N S V F) | "):
        assert card.count(line) == 1
    assert "to train on: 51,021 beats (45,866 N, 944 S, 3,788 V, 415 F, 8 Q), 22 records of 22 patients" in card
    assert "metrics/detection/" in card
    assert "Open Data Commons Attribution License" in card
    assert "Moody GB, Mark RG" in card
    mixed = model_card("intra_patient", "rnn", results)
    assert "take the inter-patient model" in mixed
    assert "48 records of 47 patients" in mixed


def test_nothing_is_said_of_the_patients_of_made_up_records(results, monkeypatch):
    dot = Path("metrics/figures/explore/class_counts.png").read_bytes()[:33]
    monkeypatch.setattr(pictures, "picture", lambda path, caption, alt, colours=0: Picture(dot, caption, alt))
    made_up = replace(results, params=MADE_UP)
    monkeypatch.setattr(findings, "training_records", lambda database: pd.DataFrame({"F": [3]}, index=["s01"]))
    card = model_card("inter_patient", "cnn", made_up)
    page = contents.report_page(made_up)
    assert findings.SYNTHETIC in card
    assert findings.SYNTHETIC in page
    for text in (card, page):
        for of_mitdb in ("1975 and", "1975 to", "202, which", "23 to 89", "hospital", "de Chazal", "paced,", "Moody"):
            assert of_mitdb not in text.replace("paced patients", "")
    listing, *_ = provenance.provenance(MADE_UP)
    assert "made the records up" in dict(listing.items)["SHA-256 of the data"]
