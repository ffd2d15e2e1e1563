"""The real DAG in a temporary clone: on a tiny synthetic database, and on the real records where a mirror is given."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.ecg import aami

PROJECT = Path.cwd()
BIN = Path(sys.executable).parent

TINY = (
    "download.source=synthetic",
    "download.minutes=1.5",
    "evaluate.start_s=30",
    "tracking.mode=disabled",
    *(f"train.{protocol}.members=2" for protocol in ("inter_patient", "intra_patient")),
    "train.intra_patient.epochs_factor=1.0",
    "sweep.fraction_of_epochs=0.2",
    *(f"train.{model}.epochs=2" for model in ("cnn", "rnn")),
    *(f"sweeps/{model}.yaml:run_cap=2" for model in ("cnn", "rnn")),
)

TOLERANCE = {"accuracy": 0.02, "macro_f1_nsvf": 0.08, "macro_f1": 0.08}
"""How far another kind of machine may be from the committed scores: about three standard deviations over seeds."""


def clone(folder: Path) -> Path:
    """Copy the files of the working tree that Git does not ignore, and commit them there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    commit(folder, "Copy the working tree")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit all that Git does not ignore."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for arguments in (("add", "-A"), (*identity, "commit", "-q", "-m", message)):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


def dvc(folder: Path, *arguments: str, **environment: str) -> str:
    """Run a DVC command and return what it printed; a failure shows all of it."""
    done = subprocess.run(
        [BIN / "dvc", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment},
    )
    assert done.returncode == 0, f"dvc {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def set_params(folder: Path, *settings: str) -> None:
    """Set keys of params.yaml, or of another file, as `dvc exp run -S` names them."""
    for setting in settings:
        key, value = setting.split("=")
        file, _, key = key.rpartition(":")
        path = folder / (file or "params.yaml")
        params = yaml.safe_load(path.read_text())
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        section[last] = yaml.safe_load(value)
        path.write_text(yaml.safe_dump(params, sort_keys=False))


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory) -> Path:
    """A clone in which the whole DAG has run on a tiny SYNTHETIC database."""
    folder = clone(tmp_path_factory.mktemp("clone"))
    set_params(folder, *TINY)
    dvc(folder, "repro", "--quiet")
    return folder


def scores_of(folder: Path, protocol: str, model: str) -> dict:
    return json.loads((folder / "metrics" / protocol / model / "scores.json").read_text())


@pytest.mark.slow
def test_every_metric_is_there_and_labelled(rebuilt):
    headlines = {"accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se_average", "veb_se_average"}
    compared = json.loads((rebuilt / "metrics" / "compare" / "scores.json").read_text())
    for protocol in ("inter_patient", "intra_patient"):
        assert set(compared[protocol]) == {"cnn", "rnn", "ensemble"}
        for model in ("cnn", "rnn", "ensemble"):
            assert set(json.loads((rebuilt / "metrics" / protocol / f"{model}.json").read_text())) == headlines
        for model in ("cnn", "rnn"):
            scores = scores_of(rebuilt, protocol, model)
            assert "SYNTHETIC" in scores["protocol"]
            assert 0 < scores["accuracy"] <= 1
            assert {f"{score}_{name}" for score in ("se", "ppv", "f1", "support") for name in "NSVFQ"} <= set(scores)
            assert {"sveb_se", "sveb_ppv", "sveb_fpr", "veb_se", "veb_ppv", "veb_fpr"} <= set(scores)
            assert scores["n_test"] == sum(scores[f"support_{name}"] for name in "NSVFQ")
            assert {"macro_f1", "macro_f1_nsvf"} <= set(scores)
            assert all(compared[protocol][model][key] == scores[key] for key in ("accuracy", "f1_S", "sveb_se"))
            views = pd.read_csv(rebuilt / "metrics" / protocol / model / "ec57.csv")
            assert set(views["convention"]) == {"e_j_in_n", "e_j_in_s"}
            assert set(views["kind"]) == {"gross", "average"}
            training = json.loads((rebuilt / "metrics" / "training" / protocol / f"{model}.json").read_text())
            assert list(training) == ["cross_validated_macro_f1_nsvf"]
    for model in ("cnn", "rnn"):
        search = json.loads((rebuilt / "metrics" / "sweep" / model / "search.json").read_text())
        assert "SYNTHETIC" in search["title"]
        trials = pd.read_csv(rebuilt / "metrics" / "sweep" / model / "trials.csv")
        assert len(trials) == 2
        assert "best_score" in json.loads((rebuilt / "metrics" / "sweep" / f"{model}.json").read_text())


@pytest.mark.slow
def test_the_report_and_the_cards_are_labelled_and_the_same_again(rebuilt):
    pages = [rebuilt / "metrics" / "report.html", *rebuilt.glob("models/*/*.md")]
    assert len(pages) == 5
    before = [page.read_bytes() for page in pages]
    for page in pages:
        assert "SYNTHETIC data" in page.read_text()
        assert "Not a medical device" in page.read_text()
    dvc(rebuilt, "repro", "--force", "--single-item", "report")
    assert [page.read_bytes() for page in pages] == before
    assert len(pages[0].read_bytes()) < 3_000_000


@pytest.mark.slow
def test_every_picture_is_drawn(rebuilt):
    drawn = {path.relative_to(rebuilt / "metrics").as_posix() for path in (rebuilt / "metrics").rglob("*.png")}
    networks = [f"{protocol}/{model}" for protocol in ("inter_patient", "intra_patient") for model in ("cnn", "rnn")]
    kinds = ("confusion", "mistakes", "pairs", "pr", "records", "reliability", "roc")
    expected = {
        "robustness",
        *(f"explore/{name}" for name in ("class_counts", "mean_beats", "rr_scatter", *(f"strip_{c}" for c in "NSVFQ"))),
        *(
            f"{subject}/{protocol}"
            for subject in ("balance", "compare")
            for protocol in ("inter_patient", "intra_patient")
        ),
        *(f"training/{network.replace('/', '_')}" for network in networks),
        *(f"{network}/{kind}" for network in networks for kind in kinds),
    }
    of_searches = {f"{model}_{kind}" for model in ("cnn", "rnn") for kind in ("history", "importance", "parallel")}
    assert {path for path in drawn if path.startswith("figures/")} == {f"figures/{name}.png" for name in expected}
    assert {path for path in drawn if "sweep/" in path} == {f"sweep/figures/{name}.png" for name in of_searches}


@pytest.mark.slow
def test_every_record_of_a_test_fold_is_annotated_by_all_three(rebuilt):
    for folder, annotator in (("cnn", "cnn"), ("rnn", "rnn"), ("ensemble", "ens")):
        files = sorted((rebuilt / "data" / "annotations" / "inter_patient" / folder).iterdir())
        suffixes = sorted((annotator, "ref"))
        assert [path.name for path in files] == [
            f"s{number:02d}.{name}" for number in range(9, 13) for name in suffixes
        ]


@pytest.mark.slow
def test_the_model_carries_all_that_inference_needs(rebuilt):
    from stages.nets.runtimes import load

    for path in rebuilt.glob("models/*/*.keras"):
        about = load(path).about
        assert about["classes"] == list("NSVFQ")
        assert about["trained_on"]["fmt"]["fs_hz"] == 360
        assert about["trained_on"]["synthetic"]
        assert path.stat().st_size < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("model", ["cnn", "rnn"])
def test_predict_gives_to_the_bit_what_evaluate_gave(rebuilt, tmp_path, model):
    evaluated = pd.read_parquet(rebuilt / "data" / "predictions" / "inter_patient" / f"{model}.parquet")
    evaluated = evaluated[evaluated["record"] == "s10"]
    command = [sys.executable, "-m", "stages.predict", "data/raw/synthetic/s10", "--beats", "atr", "--model", model]
    tables = {}
    for runtime in ("keras", "onnx", "litert"):
        more = ["--runtime", runtime, "--no-gate", "--table", "parquet", "--out", str(tmp_path / runtime)]
        subprocess.run([*command, *more], cwd=rebuilt, check=True, capture_output=True)
        tables[runtime] = pd.read_parquet(tmp_path / runtime / "s10.beats.parquet")
    columns = list(aami.PROBABILITY_COLUMNS)
    assert tables["keras"]["sample"].tolist() == evaluated["sample"].tolist()
    np.testing.assert_array_equal(tables["keras"][columns].to_numpy(), evaluated[columns].to_numpy())
    for runtime in ("onnx", "litert"):
        np.testing.assert_allclose(tables[runtime][columns], evaluated[columns], atol=1e-3)


@pytest.mark.slow
def test_exported_networks_agree_with_keras(rebuilt):
    for path in sorted((rebuilt / "metrics" / "export").iterdir()):
        report = json.loads(path.read_text())
        for kind in ("onnx", "litert"):
            assert report[kind]["agreement"] == 1
            assert report[kind]["largest_difference"] < 1e-3
        assert report["litert_int8"]["agreement"] > 0.9
    assert len(list(rebuilt.glob("models/*/*.onnx"))) == 4


@pytest.mark.slow
def test_without_noise_the_robustness_is_what_evaluate_gave(rebuilt):
    about = json.loads((rebuilt / "metrics" / "robustness" / "about.json").read_text())
    assert "SYNTHETIC" in about["title"]
    assert about["noise"] == "SYNTHETIC"
    table = pd.read_csv(rebuilt / "metrics" / "robustness" / "classes.csv")
    clean = table[table["snr_db"].isna() & ~table["gate"]].set_index("model")
    for model in ("cnn", "rnn"):
        classified = pd.read_parquet(rebuilt / "data" / "predictions" / "inter_patient" / f"{model}.parquet")
        classified = classified[classified["time_s"] >= 30]
        predicted = np.array(aami.CLASSES)[classified[list(aami.PROBABILITY_COLUMNS)].to_numpy().argmax(axis=1)]
        accuracy = (classified["aami"] == predicted).mean()
        assert clean.loc[model, "accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert set(table["noise"]) == {"none", "bw", "em", "ma"}
    headlines = json.loads((rebuilt / "metrics" / "robustness.json").read_text())
    with_bw = table[(table["noise"] == "bw") & (table["model"] == "ensemble") & ~table["gate"]]
    assert headlines["macro_f1_nsvf_bw"] == pytest.approx(with_bw["macro_f1_nsvf"].mean(), abs=1e-5)


@pytest.mark.slow
def test_beats_are_detected_and_classified_end_to_end(rebuilt):
    folder = rebuilt / "metrics" / "detection"
    assert "SYNTHETIC" in json.loads((folder / "about.json").read_text())["title"]
    assert len(pd.read_csv(folder / "detector.csv")) == 12
    headlines = json.loads((rebuilt / "metrics" / "detection.json").read_text())
    assert set(headlines) == {"qrs_se", "qrs_ppv", "sveb_se_average", "veb_se_average"}
    assert headlines["qrs_se"] > 0.97
    scores = pd.read_csv(folder / "scores.csv").set_index(["model", "fiducials"])
    views = pd.read_csv(folder / "ec57.csv")
    for model in ("cnn", "rnn"):
        evaluated = scores_of(rebuilt, "inter_patient", model)
        assert scores.loc[(model, "annotated"), "accuracy"] == pytest.approx(evaluated["accuracy"], abs=1e-6)
        ours = views[(views["model"] == model) & (views["fiducials"] == "annotated")]
        ours = ours.drop(columns=["model", "fiducials"]).reset_index(drop=True)
        theirs = pd.read_csv(rebuilt / "metrics" / "inter_patient" / model / "ec57.csv")
        of_s = [views[views["convention"] == "e_j_in_s"].reset_index(drop=True) for views in (ours, theirs)]
        pd.testing.assert_frame_equal(of_s[0][list(theirs)], of_s[1])
    files = rebuilt / "data" / "annotations" / "detection" / "detected" / "ensemble"
    assert sorted(path.name for path in files.iterdir()) == [f"s{number:02d}.ens" for number in range(9, 13)]


@pytest.mark.slow
def test_nothing_is_left_to_do(rebuilt):
    assert "up to date" in dvc(rebuilt, "status")
    assert "up to date" in dvc(rebuilt, "repro")


def stale(folder: Path) -> set[str]:
    """The stages that are out of date."""
    return set(json.loads(dvc(folder, "status", "--json")))


@pytest.mark.slow
def test_a_hyperparameter_of_one_network_touches_that_network_only(rebuilt):
    kept = (rebuilt / "params.yaml").read_text()
    set_params(rebuilt, "train.cnn.learning_rate=0.0005")
    changed = stale(rebuilt)
    (rebuilt / "params.yaml").write_text(kept)
    # The report comes after every fit anyway, and lists the parameters.
    assert changed - {"report"} == {"train@inter_patient-cnn", "train@intra_patient-cnn"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("stages/figures/style.py", "DPI = 90\n", {"draw", "draw_searches"}),
        ("stages/reporting/recording_page.py", "LISTED = 7\n", set()),
        ("stages/reporting/page.html", "<!-- words -->\n", {"report"}),
        ("stages/config/params.py", "MORE = 1\n", set()),
    ],
)
def test_a_colour_or_a_word_of_a_page_computes_nothing_again(rebuilt, path, line, expected):
    kept = (rebuilt / path).read_text()
    (rebuilt / path).write_text(kept + line)
    changed = stale(rebuilt)
    (rebuilt / path).write_text(kept)
    assert changed == expected


@pytest.mark.slow
def test_a_docstring_of_the_fit_is_told_from_its_code(rebuilt):
    path = rebuilt / "stages" / "nets" / "fitting.py"
    kept = path.read_text()
    command = [sys.executable, "-m", "stages.config.code", "reworded"]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    named = []
    for change in ("# a comment\n", "MORE = 1\n"):
        path.write_text(kept + change)
        assert "train@inter_patient-cnn" in stale(rebuilt)
        done = subprocess.run(command, cwd=rebuilt, capture_output=True, text=True, check=True, env=environment)
        named.append(set(done.stdout.split()))
    path.write_text(kept)
    assert named[0] >= {
        f"train@{protocol}-{model}" for protocol in ("inter_patient", "intra_patient") for model in ("cnn", "rnn")
    }
    assert named[1] == set()


@pytest.mark.slow
def test_comparing_commits(rebuilt):
    shown = dvc(rebuilt, "metrics", "diff", "HEAD", "--json")
    assert "metrics/inter_patient/cnn.json" in shown
    dvc(rebuilt, "plots", "diff", "HEAD", "-o", "plots", "-q", "--html-template", ".dvc/plots/offline.html")
    page = (rebuilt / "plots" / "index.html").read_text()
    assert "cdn" not in page
    assert "accuracy" in dvc(rebuilt, "exp", "show", "--csv")


@pytest.mark.slow
def test_ideas_are_tried_as_experiments_beside_the_working_tree(rebuilt):
    plan = rebuilt / "ablation.yaml"
    kept = plan.read_text()
    idea = {"idea": "fewer epochs", "verdict": "dropped", "models": ["cnn"], "changes": {"train.cnn.epochs": 1}}
    settings = {"seeds": [1], "everywhere": {"tracking.mode": "disabled"}, "ideas": [idea]}
    plan.write_text(yaml.safe_dump(settings, sort_keys=False))
    command = [sys.executable, "-m", "stages.ablate", "--model", "cnn"]
    for _ in range(2):
        done = subprocess.run(command, cwd=rebuilt, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    experiments = dvc(rebuilt, "exp", "list", "--name-only").split()
    plan.write_text(kept)
    table = pd.read_csv(rebuilt / "metrics" / "ablation.csv")
    assert table["idea"].tolist() == ["as committed", "with fewer epochs"]
    assert table["seeds"].tolist() == [1, 1]
    assert len(experiments) == 2
    assert (rebuilt / "metrics" / "ablation.png").is_file()
    assert "up to date" in dvc(rebuilt, "status")


@pytest.mark.slow
def test_after_one_changed_hyperparameter_the_tables_fit_a_screen(rebuilt):
    commit(rebuilt, "Rebuild on SYNTHETIC records")
    dvc(rebuilt, "exp", "run", "--temp", "--name", "short", "-S", "train.cnn.epochs=1", "train@inter_patient-cnn")
    (header, *_) = csv.reader(io.StringIO(dvc(rebuilt, "exp", "show", "--only-changed", "--csv")))
    assert "metrics/training/inter_patient/cnn.json:cross_validated_macro_f1_nsvf" in header
    assert "train.cnn.epochs" in header
    assert len(header) <= 40
    assert 2 <= len(dvc(rebuilt, "metrics", "diff", "short").splitlines()) <= 30


@pytest.mark.slow
def test_a_typo_in_the_parameters_stops_the_run(rebuilt):
    kept = (rebuilt / "params.yaml").read_text()
    (rebuilt / "params.yaml").write_text(kept.replace("strip_s", "strips_s"))
    run = subprocess.run(
        [sys.executable, "-m", "stages.explore"], cwd=rebuilt, capture_output=True, text=True, check=False
    )
    (rebuilt / "params.yaml").write_text(kept)
    assert run.returncode == 1
    assert "explore.strips_s: unknown key; did you mean explore.strip_s?" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
@pytest.mark.mirror
def test_the_committed_scores_can_be_had_again_from_nothing(tmp_path, mirror):
    folder = clone(tmp_path)
    name = Path("metrics/inter_patient/cnn/scores.json")
    committed = json.loads(name.read_text())
    machine = Path("metrics/training/inter_patient/cnn/machine.json")
    trained_on = json.loads(machine.read_text())
    dvc(folder, "repro", "evaluate@inter_patient-cnn", MITDB_MIRROR=mirror)
    again = json.loads((folder / name).read_text())
    if json.loads((folder / machine).read_text()) == trained_on:
        assert again == committed
    else:
        for key, tolerance in TOLERANCE.items():
            assert again[key] == pytest.approx(committed[key], abs=tolerance), key
        assert again["n_test"] == committed["n_test"] == 49712
