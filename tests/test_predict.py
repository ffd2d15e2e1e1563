"""Prediction on made-up (SYNTHETIC) recordings of every kind, by small untrained networks."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import wfdb

from stages import predict
from stages.ecg.beat_format import FEATURES
from stages.ecg.recordings import RecordError
from stages.inference.classify import DOWNWARD
from stages.nets.building import CnnArchitecture, Inputs, RnnArchitecture, build_cnn, build_rnn
from stages.nets.classifying import ModelFileError
from stages.nets.exporting import to_litert, to_onnx
from stages.nets.saving import save_classifier
from tests.made_up import FS, rhythm

FORMAT = {
    "window": "fixed",
    "leads": ["MLII", "V5"],
    "fs_hz": 360,
    "before_s": 0.25,
    "after_s": 0.30,
    "refine_s": 0.05,
    "baseline_s": [0.2, 0.6],
    "amplitude": "record",
    "template": True,
    "statistics": "record",
}
ABOUT = {
    "protocol": "inter_patient",
    "protocol_label": "inter-patient",
    "classes": list("NSVFQ"),
    "trained_on": {"fmt": FORMAT, "synthetic": True},
    "adaptation": {
        "n_neighbors": 5,
        "prior_strength": 100.0,
        "prevalence_of_s": 0.02,
        "past_only": False,
        "temperature": 1.0,
    },
}
SECONDS = 60


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A project folder with untrained networks."""
    folder = tmp_path_factory.mktemp("home")
    models = folder / "models" / "inter_patient"
    keras.utils.set_random_seed(5)
    inputs = Inputs((198, 2), [0.0] * len(FEATURES), [1.0] * len(FEATURES))
    networks = {
        "cnn": build_cnn(inputs, CnnArchitecture(4, 4, 4, 4, 0.0, False)),
        "rnn": build_rnn(inputs, RnnArchitecture("gru", False, 4, 1, 18, 4, 0.0, False)),
    }
    for name, network in networks.items():
        about = {**ABOUT, "model": name}
        save_classifier(models / f"{name}.keras", network, about)
        (models / f"{name}.onnx").write_bytes(to_onnx(network, about))
        (models / f"{name}.tflite").write_bytes(to_litert(network, about, None))
    return folder


def written(recording, folder, table="csv"):
    """Write what was found as the command does."""
    return predict.write(recording, predict.files_of(recording.summary["record"], folder, "cnn", table))


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.setattr("stages.inference.classify.HOME", home)


@pytest.fixture
def record(tmp_path) -> Path:
    """A record of MLII and V5, annotated."""
    signal, beats = rhythm(SECONDS)
    both = np.stack([signal, 0.5 * signal], axis=1)
    wfdb.wrsamp("x1", FS, ["mV"] * 2, ["MLII", "V5"], both, fmt=["16"] * 2, adc_gain=[1000.0] * 2, baseline=[0] * 2,
                write_dir=str(tmp_path))  # fmt: skip
    wfdb.wrann("x1", "atr", beats, ["N"] * len(beats), write_dir=str(tmp_path))
    return tmp_path / "x1"


def test_a_few_lines_of_python(record):
    recording = predict.classify(record, model="cnn")
    assert recording.summary["record"] == "x1"
    assert recording.summary["lead"] == "MLII"
    assert recording.summary["beats"] == len(recording.beats) == pytest.approx(SECONDS - 1, abs=2)
    assert sum(recording.summary["classes"].values()) == recording.summary["classified"]
    assert recording.problems == []
    sums = recording.beats[["p_N", "p_S", "p_V", "p_F", "p_Q"]].sum(axis=1)
    np.testing.assert_allclose(sums, 1, rtol=1e-5)


def test_the_ensemble_is_the_mean_of_both(record):
    tables = {model: predict.classify(record, model=model).beats for model in ("cnn", "rnn", "ensemble")}
    np.testing.assert_allclose(tables["ensemble"]["p_V"], (tables["cnn"]["p_V"] + tables["rnn"]["p_V"]) / 2, rtol=1e-5)


@pytest.mark.parametrize("runtime", ["litert", "keras"])
def test_every_runtime_gives_the_same(record, runtime):
    expected, table = (predict.classify(record, model="rnn", runtime=one).beats for one in ("onnx", runtime))
    np.testing.assert_allclose(table["p_N"], expected["p_N"], atol=1e-4)
    assert table["sample"].tolist() == expected["sample"].tolist()


def test_a_lead_upside_down_is_reported_and_can_be_turned(record, tmp_path):
    expected = predict.classify(record, model="cnn", beats="atr")
    assert DOWNWARD not in expected.summary["remarks"]
    assert expected.beats["upright"].all()
    signal, beats = rhythm(SECONDS)
    wfdb.wrsamp("x2", FS, ["mV"], ["MLII"], -signal[:, None], fmt=["16"], adc_gain=[1000.0], baseline=[0],
                write_dir=str(tmp_path))  # fmt: skip
    wfdb.wrann("x2", "atr", beats, ["N"] * len(beats), write_dir=str(tmp_path))
    summary = predict.classify(tmp_path / "x2", model="cnn", beats="atr").summary
    assert summary["warnings"] == [DOWNWARD]
    assert DOWNWARD in summary["remarks"]
    assert "--invert" in DOWNWARD
    turned = predict.classify(tmp_path / "x2", model="cnn", beats="atr", invert=True)
    assert turned.summary["remarks"] == ["The signal was turned upside down, as asked."]
    np.testing.assert_allclose(turned.beats["p_V"], expected.beats["p_V"], atol=1e-4)
    assert not any(excerpt.signal_mv.max() < 0.5 for excerpt in turned.excerpts)


def test_beats_of_an_annotator(record):
    _, beats = rhythm(SECONDS)
    recording = predict.classify(record, model="cnn", beats="atr")
    assert recording.beats["sample"].tolist() == beats.tolist()
    assert recording.summary["beats_from"] == "atr"


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy"])
def test_other_files_of_the_same_signal(tmp_path, record, kind):
    signal, _ = rhythm(SECONDS)
    table = pd.DataFrame({"time": np.arange(len(signal)) / FS, "MLII": signal})
    path = tmp_path / f"x1.{kind}"
    if kind == "npy":
        np.save(path, signal)
    elif kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    recording = predict.classify(path, model="cnn", fs=FS if kind == "npy" else None)
    expected = predict.classify(record, model="cnn")
    assert recording.beats["sample"].tolist() == expected.beats["sample"].tolist()
    np.testing.assert_allclose(recording.beats["p_N"], expected.beats["p_N"], atol=0.02)
    assert any("taken for mV" in remark for remark in recording.summary["remarks"])


@pytest.mark.parametrize("fs", [100, 128, 250, 1000])
def test_any_sampling_rate(tmp_path, record, fs):
    signal, _ = rhythm(SECONDS)
    times = np.arange(SECONDS * fs) / fs
    np.save(tmp_path / "x.npy", np.interp(times, np.arange(len(signal)) / FS, signal))
    table = predict.classify(tmp_path / "x.npy", model="cnn", fs=fs).beats
    expected = predict.classify(record, model="cnn").beats
    assert len(table) == pytest.approx(len(expected), abs=2)
    late = table[table["time_s"] > 5]["time_s"].to_numpy()
    nearest = np.abs(late[:, None] - expected["time_s"].to_numpy()[None]).min(axis=1)
    assert nearest.max() < 0.03


def test_the_command_writes_table_annotations_and_summary(record, tmp_path, monkeypatch, caplog):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["predict", str(record), "--model", "ensemble", "--out", str(out)])
    with caplog.at_level("INFO"):
        predict.main()
    assert sorted(path.name for path in out.iterdir()) == ["x1.beats.csv", "x1.ens", "x1.html", "x1.json"]
    table = pd.read_csv(out / "x1.beats.csv", keep_default_na=False)
    annotation = wfdb.rdann(str(out / "x1"), "ens")
    assert annotation.sample.tolist() == table["sample"].tolist()
    assert annotation.symbol == table["class"].tolist()
    summary = json.loads((out / "x1.json").read_text())
    assert summary["classified"] == len(table)
    assert "no diagnosis" in summary["not_a_medical_device"]
    assert "no diagnosis" in caplog.text
    assert f"{summary['classified']} of {summary['beats']} beats classified" in caplog.text


def test_the_recording_itself_is_not_overwritten(tmp_path, monkeypatch):
    signal, _ = rhythm(20)
    path = tmp_path / "holter.csv"
    pd.DataFrame({"time": np.arange(len(signal)) / FS, "MLII": signal}).to_csv(path, index=False)
    before = path.read_bytes()
    monkeypatch.setattr(sys, "argv", ["predict", str(path), "--model", "cnn", "--out", str(tmp_path)])
    predict.main()
    assert path.read_bytes() == before
    assert (tmp_path / "holter.beats.csv").is_file()
    (tmp_path / "holter.html").unlink()
    (tmp_path / "holter.html").symlink_to(path)
    with pytest.raises(SystemExit, match=r"predict: .*holter.csv is read and would be overwritten; choose another"):
        predict.main()
    assert path.read_bytes() == before


def test_annotations_that_are_read_are_not_overwritten(record, monkeypatch):
    record.with_suffix(".atr").rename(record.with_suffix(".cnn"))
    options = ["--model", "cnn", "--beats", "cnn", "--out", str(record.parent)]
    monkeypatch.setattr(sys, "argv", ["predict", str(record), *options])
    with pytest.raises(SystemExit, match=r"x1.cnn is read and would be overwritten"):
        predict.main()


@pytest.mark.parametrize("name", ["my ecg (1)", "a.b", "ekg_ä"])
def test_a_file_of_any_name(tmp_path, monkeypatch, caplog, name):
    signal, _ = rhythm(20)
    path, out = tmp_path / f"{name}.npy", tmp_path / "out"
    np.save(path, signal)
    options = ["--model", "cnn", "--fs", str(FS), "--units", "mV", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["predict", str(path), *options])
    with caplog.at_level("INFO"):
        predict.main()
    plain = predict.plain_name(name)
    assert {file.name for file in out.iterdir()} == {
        f"{name}.json",
        f"{name}.beats.csv",
        f"{name}.html",
        f"{plain}.cnn",
    }
    assert len(wfdb.rdann(str(out / plain), "cnn").sample) > 10
    assert f"the annotations are of {plain}" in caplog.text


def test_infinite_samples_are_missing(tmp_path):
    signal, _ = rhythm(SECONDS)
    signal[20 * FS : 30 * FS] = np.inf
    signal[40 * FS] = -np.inf
    np.save(tmp_path / "x.npy", signal)
    recording = predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV")
    assert set(recording.summary["unreadable_s"]) == {"missing"}
    assert len(written(recording, tmp_path, "parquet")) == 4


def test_nothing_is_left_of_files_that_cannot_be_written(record, tmp_path, monkeypatch):
    recording = predict.classify(record, model="cnn")
    out = tmp_path / "out"
    out.mkdir()

    def fail(*_):
        raise ValueError("no page")

    monkeypatch.setattr(predict, "recording_page", fail)
    with pytest.raises(ValueError, match="no page"):
        written(recording, out, "csv")
    assert list(out.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said_before_the_work(record, tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr(predict, "classify", None)
    monkeypatch.setattr(sys, "argv", ["predict", str(record), "--out", str(tmp_path / "taken")])
    with pytest.raises(SystemExit, match=r"predict: .*taken"):
        predict.main()


def test_bad_signal_is_written_as_not_classified(tmp_path):
    signal, _ = rhythm(SECONDS)
    signal[20 * FS : 40 * FS] = np.nan
    np.save(tmp_path / "x.npy", signal)
    recording = predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV")
    assert recording.summary["readable_s"] == pytest.approx(39, abs=0.1)
    assert recording.summary["unreadable_s"] == {"missing": pytest.approx(21, abs=0.1)}
    written(recording, tmp_path, "csv")
    symbols = wfdb.rdann(str(tmp_path / "x"), "cnn").symbol
    assert symbols.count("|") == (recording.beats["class"] == "").sum()


def test_times_at_the_end_of_a_day_keep_their_digits(record, tmp_path):
    recording = predict.classify(record, model="cnn")
    late = replace(recording, beats=recording.beats.assign(time_s=recording.beats["time_s"] + 86400))
    path = written(late, tmp_path, "csv")[1]
    np.testing.assert_allclose(pd.read_csv(path)["time_s"], late.beats["time_s"], atol=5.1e-5, rtol=0)


def test_a_recording_without_beats(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(FS * 30))
    recording = predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV")
    assert recording.summary["beats"] == 0
    assert recording.summary["unreadable_s"] == {"flat": 30}
    files = written(recording, tmp_path, "csv")
    assert [path.suffix for path in files] == [".json", ".csv", ".html"]
    assert len(pd.read_csv(files[1])) == 0


def test_annotations_of_an_earlier_run_do_not_stay_beside_a_recording_without_beats(tmp_path):
    np.save(tmp_path / "x.npy", rhythm(SECONDS)[0])
    earlier = written(predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV"), tmp_path)
    assert (tmp_path / "x.cnn") in earlier
    np.save(tmp_path / "x.npy", np.zeros(FS * 30))
    written(predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV"), tmp_path)
    assert not (tmp_path / "x.cnn").exists()


def test_a_gap_over_the_border_of_two_stretches_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.inference.stretches.STRETCH_S", 30.0)
    signal, _ = rhythm(SECONDS)
    signal[25 * FS : 35 * FS] = np.nan
    np.save(tmp_path / "x.npy", signal)
    (problem,) = predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV").problems
    assert (problem.start / FS, problem.stop / FS, problem.reason) == (24.5, 35.5, "missing")


@pytest.mark.parametrize(("seconds", "hint"), [(2, "; take a longer part of the recording."), (30, ".")])
def test_a_recording_in_which_no_beat_is_found_says_so(tmp_path, seconds, hint):
    np.save(tmp_path / "x.npy", np.zeros(seconds * FS))
    summary = predict.classify(tmp_path / "x.npy", model="cnn", fs=FS, units="mV").summary
    assert summary["warnings"] == [f"No beat was found in {seconds}.0 s, so nothing was classified{hint}"]


def test_a_single_beat_is_not_classified(record, tmp_path):
    wfdb.wrann("x1", "one", np.array([5 * FS]), ["N"], write_dir=str(tmp_path))
    summary = predict.classify(record, model="cnn", beats="one").summary
    assert summary["warnings"] == ["A single beat was found in 60.0 s, so nothing was classified."]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lead": "V9"}, "there is no lead V9"),
        (
            {"beats": "qrs"},
            r"x1.qrs is missing; expected the beats of the annotator qrs .*, or leave that out to have the beats",
        ),
        ({"units": "furlong"}, "expected one of mV"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said(record, options, message):
    with pytest.raises(RecordError, match=message):
        predict.classify(record, model="cnn", **options)


def test_a_model_that_is_not_there(record, monkeypatch, tmp_path):
    monkeypatch.setattr("stages.inference.classify.HOME", tmp_path)
    with pytest.raises(ModelFileError, match=r"inter_patient/cnn.onnx is missing; run `dvc repro` or `dvc pull`"):
        predict.classify(record, model="cnn")


def test_the_command_names_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["predict", str(tmp_path / "nothing.edf")])
    with pytest.raises(SystemExit, match=r"predict: .*nothing.edf is missing"):
        predict.main()


@pytest.mark.slow
def test_tensorflow_is_not_needed():
    code = "import sys, stages.predict; print(sorted({'tensorflow', 'keras', 'wandb', 'optuna'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
