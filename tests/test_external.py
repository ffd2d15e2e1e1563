"""Another database, end to end with the networks of this repository. Records are SYNTHETIC, made to look like svdb."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import wfdb
from scipy.signal import resample_poly

from stages import external
from stages.ecg.sources import SourceError
from stages.inference.classify import annotated_beats, classify
from stages.inference.end_to_end import Records, reference_of

FS = 128
RECORDS = ("800", "801")


def announce(folder):
    """List the checksums of all files of a folder, as PhysioNet does."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != "SHA256SUMS.txt"
    ]
    lines.append(f"{'0' * 64} old/800.dat\n")
    (folder / "SHA256SUMS.txt").write_text("".join(lines))


def write_like_svdb(folder, path, name, channels):
    """Write leads of a record of mitdb at 128 Hz, with gain 0 in the header and leads without names of leads.

    Returns the number of samples, and the samples and symbols of the beats, which are not written.
    """
    record, annotations = wfdb.rdrecord(str(path), channels=channels), wfdb.rdann(str(path), "atr")
    digital = np.rint(resample_poly(record.p_signal, FS, 360, padtype="line") * 200).astype(int)
    leads = len(channels)
    wfdb.wrsamp(
        name,
        FS,
        ["mV"] * leads,
        [f"ECG{number}" for number in range(1, leads + 1)],
        d_signal=digital,
        fmt=["212"] * leads,
        adc_gain=[200] * leads,
        baseline=[0] * leads,
        write_dir=str(folder),
    )
    header = folder / f"{name}.hea"
    header.write_text(header.read_text().replace(" 200(0)/mV", " 0"))
    assert " 212 0 " in header.read_text()
    is_beat = np.isin(annotations.symbol, list("NSVFQAaJLRejE/f"))
    samples = np.rint(annotations.sample[is_beat] * FS / 360).astype(int)
    symbols = np.asarray(annotations.symbol)[is_beat]
    return len(digital), samples, np.where(symbols == "A", "S", symbols)


@pytest.fixture(scope="module")
def published(synthetic_records, tmp_path_factory):
    """Two records at 128 Hz, gain 0 in the headers, leads without names of leads, an annotation past the end."""
    folder = tmp_path_factory.mktemp("published")
    for name, made in zip(RECORDS, ("s09", "s10"), strict=True):
        length, samples, symbols = write_like_svdb(folder, synthetic_records / made, name, [0, 1])
        wfdb.wrann(name, "atr", np.append(samples, length), np.append(symbols, "N"), write_dir=str(folder))
    announce(folder)
    return folder


@pytest.fixture(autouse=True)
def _project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYDB_MIRROR", raising=False)
    with joblib.parallel_config(
        backend="sequential"
    ):  # a process that is used again stays in the folder of an old test
        yield


def params(source, annotator="atr", lead=None):
    settings = SimpleNamespace(version="1.0.0", source=str(source), annotator=annotator, lead=lead)
    return SimpleNamespace(external=settings, evaluate=SimpleNamespace(start_s=10.0))


@pytest.mark.slow
def test_a_database_in_the_manner_of_svdb_is_evaluated(tmp_path, published):
    external.external(params(published), "tinydb")
    folder = tmp_path / "metrics" / "external" / "tinydb"
    about = json.loads((folder / "about.json").read_text())
    assert about["records"] == 2
    assert about["remarks"] == {
        "Annotations outside the signal were left out.": list(RECORDS),
        "Lead ECG1 was taken, the first of 2; the networks were trained on MLII.": list(RECORDS),
        "The header says no gain, so 200 units a mV were assumed.": list(RECORDS),
        "The header says no units, so they were taken for mV.": list(RECORDS),
    }
    scores = pd.read_csv(folder / "scores.csv").set_index(["model", "fiducials"])
    views = pd.read_csv(folder / "ec57.csv").set_index(["model", "fiducials", "convention", "period", "kind"])
    assert set(scores.index) == {(m, f) for m in ("cnn", "rnn", "ensemble") for f in ("annotated", "detected")}
    for model in ("cnn", "rnn", "ensemble"):
        assert scores.loc[(model, "annotated"), "classified"] == 1
        assert scores.loc[(model, "annotated"), "accuracy"] > 0.6
        qrs = views.loc[(model, "detected", "e_j_in_n", "after_learning", "gross")]
        assert qrs["qrs_se"] > 0.97
        assert qrs["qrs_ppv"] > 0.97
        at_annotated = views.loc[(model, "annotated", "e_j_in_n", "from_start", "gross")]
        assert (at_annotated["qrs_se"], at_annotated["qrs_ppv"]) == (1, 1)
    headlines = json.loads((folder.parent / "tinydb.json").read_text())
    assert headlines["accuracy"] == pytest.approx(scores.loc[("ensemble", "annotated"), "accuracy"], abs=1e-6)
    assert set(headlines) == {"accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se_average", "veb_se_average"}
    table = pd.read_csv(folder / "records.csv", dtype={"record": str})
    assert set(table["record"]) == set(RECORDS)
    called = tmp_path / "data" / "annotations" / "external" / "tinydb"
    assert sorted(path.name for path in (called / "detected" / "ensemble").iterdir()) == ["800.ens", "801.ens"]
    truth = wfdb.rdann(str(published / "800"), "atr")
    written = wfdb.rdann(str(called / "annotated" / "cnn" / "800"), "cnn")
    assert written.sample.tolist() == truth.sample[:-1].tolist()


def test_it_comes_from_the_mirror_that_the_environment_names(tmp_path, monkeypatch, published):
    monkeypatch.setenv("TINYDB_MIRROR", str(published))
    database, checksums = external.announced("tinydb", params("physionet"))
    assert database.records == RECORDS
    assert sorted(checksums) == sorted(f"{name}.{suffix}" for name in RECORDS for suffix in ("atr", "dat", "hea"))


def test_two_beats_at_one_sample_count_as_one(tmp_path, published):
    mirror = shutil.copytree(published, tmp_path / "mirror")
    read = wfdb.rdann(str(mirror / "800"), "atr")
    samples, symbols = np.insert(read.sample, 6, read.sample[5]), np.insert(read.symbol, 6, "V")
    wfdb.wrann("800", "atr", samples, symbols, write_dir=str(mirror))
    reference, remarks = reference_of(Records(mirror, ["800"]), "800")
    assert "Of several beats at one sample the first was kept." in remarks
    assert reference.annotations.samples.tolist() == read.sample[:-1].tolist()
    assert reference.annotations.symbols.tolist() == read.symbol[:-1]
    assert annotated_beats(mirror / "800", "atr").tolist() == read.sample.tolist()


@pytest.mark.mirror
def test_a_real_record_at_another_rate_without_gain_and_names(tmp_path, real_records):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    _, samples, symbols = write_like_svdb(mirror, real_records / "100", "100", [0])
    wfdb.wrann("100", "atr", samples, symbols, write_dir=str(mirror))
    announce(mirror)
    external.external(params(mirror), "tinydb")
    folder = tmp_path / "metrics" / "external" / "tinydb"
    scores = pd.read_csv(folder / "scores.csv").set_index(["model", "fiducials"])
    assert scores.loc[("cnn", "annotated"), "accuracy"] > 0.98
    called = wfdb.rdann(
        str(tmp_path / "data" / "annotations" / "external" / "tinydb" / "annotated" / "cnn" / "100"), "cnn"
    )
    as_it_was = classify(real_records / "100", model="cnn", beats="atr", gate=False).beats["class"]
    assert np.mean(np.asarray(called.symbol) == as_it_was) > 0.99
    views = pd.read_csv(folder / "ec57.csv").set_index(["model", "fiducials", "convention", "period", "kind"])
    gross = views.loc[("cnn", "detected", "e_j_in_n", "from_start", "gross")]
    assert gross["qrs_se"] > 0.995
    assert gross["qrs_ppv"] > 0.995


def test_a_changed_file_is_refused(tmp_path, published):
    mirror = shutil.copytree(published, tmp_path / "mirror")
    with (mirror / "801.dat").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(SourceError, match=r"801\.dat .*failed its checksum twice"):
        external.external(params(mirror), "tinydb")
    assert not (tmp_path / "metrics").exists()


@pytest.mark.parametrize("name", ["../mitdb", "mitdb", "SVDB", "a/b", ""])
def test_a_name_that_is_no_external_database(name, published):
    with pytest.raises(SourceError, match="is no external database"):
        external.external(params(published), name)


def test_another_annotator_that_is_not_there(published):
    with pytest.raises(SourceError, match=r"no record with the files \.hea, \.dat, \.qrs; set external\.annotator"):
        external.external(params(published, annotator="qrs"), "tinydb")


def test_a_mirror_without_a_list(tmp_path):
    with pytest.raises(SourceError, match=r"SHA256SUMS\.txt is missing; set TINYDB_MIRROR"):
        external.external(params(tmp_path), "tinydb")


def test_a_lead_that_no_record_has(published):
    with pytest.raises(ValueError, match="there is no lead V1; expected one of ECG1, ECG2"):
        external.external(params(published, lead="V1"), "tinydb")
