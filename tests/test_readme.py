"""The tables of README.md show the figures of the committed files under ``metrics``."""

import io
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

PROTOCOL_LABELS = {"inter_patient": "inter-patient", "intra_patient": "patient-mixed"}
README = Path("README.md").read_text(encoding="utf-8").splitlines()


def committed(path):
    """Read a file of the last commit, so that a rebuild which is not committed yet changes nothing."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], capture_output=True, text=True, check=True).stdout


def rows(*header):
    """Give the rows of the one table with these column titles."""
    (start,) = [number for number, line in enumerate(README) if cells(line) == list(header)]
    table = []
    for line in README[start + 2 :]:
        if not line.startswith("|"):
            return table
        table.append(cells(line))
    return table


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def compared():
    return json.loads(committed("metrics/compare/scores.json"))


def test_the_results_are_those_of_compare(compared):
    found = rows(
        "protocol", "model", "accuracy", "macro F1 (N S V F)", "macro F1 (5)", "F1 N", "F1 S", "F1 V", "F1 F", "F1 Q"
    )
    expected = []
    for protocol in ("inter_patient", "intra_patient"):
        for model in ("cnn", "rnn", "ensemble"):
            scores = compared[protocol][model]
            of_classes = [f"{scores[f'f1_{name}']:.3f}" for name in "NSVFQ"]
            means = [f"{scores['accuracy']:.4f}", f"{scores['macro_f1_nsvf']:.3f}", f"{scores['macro_f1']:.3f}"]
            expected.append([PROTOCOL_LABELS[protocol], model, *means, *of_classes])
    assert found == expected


def test_the_intervals_are_those_of_compare():
    table = pd.read_csv(io.StringIO(committed("metrics/compare/intervals.csv")))
    table = table[table["protocol"] == "inter-patient"].set_index(["model", "score"])
    found = rows("model", "accuracy", "macro F1 (N S V F)", "F1 S", "F1 V")
    assert [row[0] for row in found] == ["cnn", "rnn", "ensemble", "rnn - cnn"]
    for model, *shown in found:
        for score, cell in zip(("accuracy", "macro_f1_nsvf", "f1_S", "f1_V"), shown, strict=True):
            known = table.loc[(model, score)]
            assert cell == f"{known['value']:.3f} ({known['low']:.3f} to {known['high']:.3f})"


def test_the_scores_without_a_record_are_those_of_compare(compared):
    found = rows("model", "without", "accuracy", "macro F1 (N S V F)", "F1 N", "F1 S", "F1 V", "F1 F")
    assert len(found) == 9
    for model, record, *shown in found:
        assert shown == in_full(compared["inter_patient"][model], f"_without_{record}")


def test_the_cross_validated_scores_are_those_of_training():
    found = rows("model", "accuracy", "macro F1 (N S V F)", "F1 N", "F1 S", "F1 V", "F1 F")
    for model, *shown in found:
        path = f"metrics/training/inter_patient/{model}/cross_validation.json"
        assert shown == in_full(json.loads(committed(path)))
    assert [row[0] for row in found] == ["cnn", "rnn"]


def in_full(scores, suffix=""):
    return [
        f"{scores[f'accuracy{suffix}']:.4f}",
        f"{scores[f'macro_f1_nsvf{suffix}']:.3f}",
        *(f"{scores[f'f1_{name}{suffix}']:.3f}" for name in "NSVF"),
    ]


def test_the_ideas_are_those_of_ablate():
    table = pd.read_csv(io.StringIO(committed("metrics/ablation.csv")))
    expected = []
    for row in table.to_dict("records"):
        change = f"{row['macro_f1_nsvf_change']:+.3f}".replace("-", "−").replace("+0.000", "0.000")
        shown = [f"{row[score]:.3f} ± {row[f'{score}_sd']:.3f}" for score in ("macro_f1_nsvf", "f1_S", "f1_V")]
        change = "" if row["idea"] == "as committed" else change.replace("−0.000", "0.000")
        expected.append([row["model"], row["idea"], row["verdict"], shown[0], change, *shown[1:]])
    assert rows("model", "idea", "here", "macro F1 (N S V F)", "change", "F1 S", "F1 V") == expected


def test_the_scores_under_noise_are_those_of_robustness():
    table = pd.read_csv(io.StringIO(committed("metrics/robustness/classes.csv")))
    known = table[table["model"] == "ensemble"].set_index(["noise", "gate", "snr_db"]).sort_index()
    levels = sorted(known.index.get_level_values("snr_db").dropna().unique(), reverse=True)
    found = rows("noise", "gate", *(f"{level:.0f} dB".replace("-", "−") for level in levels))
    assert len(found) == 6
    for noise, gate, *shown in found:
        scores = known.loc[(noise[-3:-1], gate == "with")].loc[levels]
        passed = [f" ({share:.0%})".replace("%", " %") if gate == "with" else "" for share in scores["classified"]]
        assert shown == [f"{f1:.3f}{share}" for f1, share in zip(scores["macro_f1_nsvf"], passed, strict=True)]


def test_the_scores_of_detected_beats_are_those_of_detect():
    views = pd.read_csv(io.StringIO(committed("metrics/detection/ec57.csv")))
    main = views[
        (views["convention"] == "e_j_in_n") & (views["period"] == "after_learning") & (views["kind"] == "gross")
    ]
    known = main.set_index(["model", "fiducials"])
    found = rows("model", "fiducials", "QRS Se", "QRS +P", "V Se", "V +P", "S Se", "S +P")
    assert sorted(tuple(row[:2]) for row in found) == sorted(known.index)
    for model, fiducials, *shown in found:
        scores = known.loc[(model, fiducials)]
        of_kinds = [scores[f"{kind}_{score}"] for kind in ("qrs", "veb", "sveb") for score in ("se", "ppv")]
        assert shown == [f"{100 * score:.1f}" for score in of_kinds]
