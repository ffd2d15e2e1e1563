"""The download stage: what ends up in ``data/raw``, from which source, and what a failure leaves behind."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages import download
from stages.config.runner import run_stage
from stages.ecg import sources
from stages.ecg.databases import SYNTHETIC, Database

TINY = Database(name="tinydb", version="2.0.0", ds1=("1",), ds2=("2",))
CONTENT = {name: f"{name} of the tiny database\n".encode() for name in TINY.files}
RAW, STAGING = Path("data/raw/tinydb"), Path("data/.raw-tinydb")


@pytest.fixture(autouse=True)
def _project(tmp_path, monkeypatch):
    """Work in an empty project whose published database is TINY, with nothing set in the environment."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("TINYDB_MIRROR", raising=False)
    monkeypatch.setattr(sources, "CHECKSUMS", tmp_path)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()} {name}\n" for name, content in CONTENT.items())
    (tmp_path / "tinydb-2.0.0.sha256").write_text(sums)


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    write(folder, CONTENT)
    return folder


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(monkeypatch, source, database=TINY):
    parameters = SimpleNamespace(source=str(source), resolved_database=database, seed=3, minutes=0.5)
    monkeypatch.setattr("stages.config.runner.load_params", lambda: SimpleNamespace(download=parameters))
    monkeypatch.setattr(sys, "argv", ["download"])
    run_stage(download.download, errors=(sources.SourceError,))


def fails(monkeypatch, caplog, source):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, source)
    assert exit_.value.code not in (None, 0)
    return f"{caplog.text}{exit_.value.code}"


def test_raw_holds_the_published_files_and_nothing_else(monkeypatch, mirror):
    run(monkeypatch, mirror)
    assert contents(RAW) == CONTENT
    assert [path.name for path in Path("data").iterdir()] == ["raw"]


def test_environment_names_a_mirror_of_physionet(monkeypatch, mirror):
    monkeypatch.setenv("TINYDB_MIRROR", str(mirror))
    run(monkeypatch, "physionet")
    assert contents(RAW) == CONTENT


def test_environment_does_not_override_another_source(monkeypatch, mirror, tmp_path, caplog):
    monkeypatch.setenv("TINYDB_MIRROR", str(mirror))
    assert "nowhere" in fails(monkeypatch, caplog, tmp_path / "nowhere")


def test_another_database_gives_way(monkeypatch, mirror):
    write(Path("data/raw/synthetic"), {"s01.dat": b"old"})
    run(monkeypatch, mirror)
    assert [path.name for path in Path("data/raw").iterdir()] == ["tinydb"]


def test_failure_leaves_another_database_alone(monkeypatch, tmp_path, caplog):
    write(Path("data/raw/synthetic"), {"s01.dat": b"old"})
    fails(monkeypatch, caplog, tmp_path / "nowhere")
    assert contents(Path("data/raw/synthetic")) == {"s01.dat": b"old"}


def test_verified_files_of_an_earlier_run_are_kept(monkeypatch, mirror):
    run(monkeypatch, mirror)
    (RAW / "1.dat").write_bytes(b"bad")
    (RAW / "notes.txt").write_bytes(b"mine")
    kept = (RAW / "2.dat").stat().st_ino
    for name in CONTENT.keys() - {"1.dat"}:
        (mirror / name).unlink()
    run(monkeypatch, mirror)
    assert contents(RAW) == CONTENT
    assert (RAW / "2.dat").stat().st_ino == kept


def test_a_run_that_was_cut_off_is_taken_up(monkeypatch, mirror, caplog):
    (mirror / "RECORDS").rename(mirror / "elsewhere")
    monkeypatch.setattr(sources.fetch_database, "__defaults__", (None, replace(sources.CONNECTIONS, workers=1)))
    assert "has no file RECORDS" in fails(monkeypatch, caplog, mirror)
    assert not RAW.exists()
    assert contents(STAGING) == {name: content for name, content in CONTENT.items() if name != "RECORDS"}
    for path in mirror.iterdir():
        if path.name != "elsewhere":
            path.unlink()
    (mirror / "elsewhere").rename(mirror / "RECORDS")
    run(monkeypatch, mirror)
    assert contents(RAW) == CONTENT
    assert not STAGING.exists()


def test_staged_and_earlier_files_are_put_together(monkeypatch, mirror):
    names = list(CONTENT)
    write(RAW, {name: CONTENT[name] for name in names[:4]} | {names[4]: b"bad"})
    write(STAGING, {name: CONTENT[name] for name in names[3:]} | {"tmpx12": b"left by a kill"})
    for path in mirror.iterdir():
        path.unlink()
    run(monkeypatch, mirror)
    assert contents(RAW) == CONTENT


def test_link_in_the_place_of_raw_keeps_what_it_points_to(monkeypatch, mirror, tmp_path):
    write(tmp_path / "mine", {"diary": b"dear"})
    Path("data/raw").mkdir(parents=True)
    RAW.symlink_to(tmp_path / "mine")
    run(monkeypatch, mirror)
    assert contents(RAW) == CONTENT
    assert not RAW.is_symlink()
    assert contents(tmp_path / "mine") == {"diary": b"dear"}


def test_source_inside_raw_is_refused(monkeypatch, caplog):
    write(Path("data/raw/mirror"), CONTENT)
    assert "which this stage clears" in fails(monkeypatch, caplog, "data/raw/mirror")
    assert contents(Path("data/raw/mirror")) == CONTENT


def test_failure_is_a_message_and_never_synthetic(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(download.synthetic, "write_database", lambda *_, **__: pytest.fail("fell back"))
    text = fails(monkeypatch, caplog, tmp_path / "nowhere")
    assert "TINYDB_MIRROR" in text
    assert "make demo" in text
    assert "Traceback" not in text


def test_interrupt_ends_with_its_own_exit_code(monkeypatch, mirror):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "fetch_database", interrupted)
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, mirror)
    assert exit_.value.code == 130


def test_synthetic_records_are_made_afresh_and_said_to_be(monkeypatch, caplog):
    def write_database(folder, seed, minutes):
        assert not list(folder.iterdir())
        write(folder, {"s01.dat": f"{seed} {minutes}".encode()})

    caplog.set_level("INFO")
    monkeypatch.setattr(download.synthetic, "write_database", write_database)
    write(Path("data/raw/synthetic"), {"s01.dat": b"old", "s99.dat": b"old"})
    write(Path("data/.raw-synthetic"), {"s98.dat": b"old"})
    write(RAW, CONTENT)
    run(monkeypatch, "synthetic", SYNTHETIC)
    assert contents(Path("data/raw/synthetic")) == {"s01.dat": b"3 0.5"}
    assert [path.name for path in Path("data/raw").iterdir()] == ["synthetic"]
    assert "SYNTHETIC" in caplog.text
