"""The stage that fetches the noises, from a mirror on disk and made up."""

from types import SimpleNamespace

import numpy as np
import pytest
import wfdb

from stages import noise
from stages.ecg import sources
from stages.ecg.databases import NSTDB


@pytest.fixture(autouse=True)
def _project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NSTDB_MIRROR", raising=False)


def params(source="physionet", of_noise="physionet"):
    return SimpleNamespace(
        download=SimpleNamespace(source=source, seed=3, minutes=1.0), robustness=SimpleNamespace(source=of_noise)
    )


def test_synthetic_records_have_synthetic_noises(tmp_path):
    noise.noise(params("synthetic"))
    for name in NSTDB.records:
        record = wfdb.rdrecord(str(tmp_path / "data" / "noise" / name))
        assert record.p_signal.shape == (60 * 360, 2)
        assert 0.01 < record.p_signal[:, 0].std() < 2
        assert "SYNTHETIC" in record.comments[0]
    before = (tmp_path / "data" / "noise" / "em.dat").read_bytes()
    noise.noise(params("synthetic"))
    assert (tmp_path / "data" / "noise" / "em.dat").read_bytes() == before


def test_the_published_files_come_from_a_mirror_and_are_checked(tmp_path, monkeypatch):
    asked = []

    def fetch(database, source, folder):
        asked.append((database.name, source))
        folder.mkdir(parents=True)

    monkeypatch.setattr(sources, "fetch_database", fetch)
    noise.noise(params())
    monkeypatch.setenv("NSTDB_MIRROR", "/somewhere")
    noise.noise(params())
    noise.noise(params(of_noise="/given"))
    assert asked == [("nstdb", "physionet"), ("nstdb", "/somewhere"), ("nstdb", "/given")]
    assert (tmp_path / "data" / "noise").is_dir()


def test_every_file_has_a_published_checksum():
    assert sorted(sources.published_checksums(NSTDB)) == sorted(NSTDB.files)
    assert len(NSTDB.files) == 6


def test_a_damaged_mirror_is_told(tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in NSTDB.files:
        (mirror / name).write_bytes(b"not the noise")
    monkeypatch.setenv("NSTDB_MIRROR", str(mirror))
    with pytest.raises(sources.SourceError, match=r"failed its checksum twice[\s\S]*NSTDB_MIRROR"):
        noise.noise(params())
    assert not (tmp_path / "data" / "noise").exists()


def test_the_noises_differ_from_each_other():
    noise.noise(params("synthetic"))
    bw, em, ma = (wfdb.rdrecord(f"data/noise/{name}").p_signal[:, 0] for name in NSTDB.records)
    roughness = [np.abs(np.diff(one)).mean() / one.std() for one in (bw, em, ma)]
    assert roughness[0] < 0.1 < roughness[2]
    assert roughness[0] < roughness[1] < roughness[2]
