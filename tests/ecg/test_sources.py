"""Fetching a database: from a server that behaves in all the ways servers do, and from a folder."""

import hashlib
import os
import socket
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from stages.ecg import sources
from stages.ecg.databases import MITDB, Database
from stages.ecg.sources import Connections, SourceError, announced_checksums, fetch_database, published_checksums
from tests.ecg.file_server import ANNOUNCED, CHECKSUMS, CONTENT, TINY, Server

QUICK = Connections(connect_s=5.0, read_s=5.0, silence_s=20.0, retries=2, backoff_s=0.01, longest_pause_s=1)
HASTY = replace(QUICK, read_s=0.2)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


def fetch(source, folder, **options):
    fetch_database(TINY, str(source), folder, CHECKSUMS, **{"connections": QUICK, **options})


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def refused_url():
    # Bound but not listening: nobody else can take the port, and connections to it are refused.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


# --- what arrives ---


def test_url_and_folder_give_the_same_bytes(server, mirror, tmp_path):
    fetch(server.url, tmp_path / "http")
    fetch(server.url + "/", tmp_path / "slash")
    fetch(mirror, tmp_path / "copied")
    assert contents(tmp_path / "http") == contents(tmp_path / "slash") == contents(tmp_path / "copied") == CONTENT


def test_fetched_files_can_be_read_by_others(server, tmp_path):
    fetch(server.url, tmp_path / "raw")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "raw").iterdir()} == {0o644}


def test_foreign_and_corrupt_files_give_way(server, tmp_path):
    fetch(server.url, tmp_path)
    server.requests.clear()
    (tmp_path / "tmpx12").write_bytes(b"left by a kill")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "1.dat").write_bytes(b"")
    (tmp_path / "2.dat").write_bytes(b"bad")
    (tmp_path / "3.atr").unlink()
    (tmp_path / "3.atr").mkdir()
    fetch(server.url, tmp_path)
    assert contents(tmp_path) == CONTENT
    assert server.requests == {"2.dat": 1, "3.atr": 1}


def test_a_link_is_removed_but_not_what_it_points_to(mirror, tmp_path):
    (tmp_path / "raw").mkdir()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "diary").write_text("dear")
    (tmp_path / "raw" / "linked").symlink_to(precious)
    fetch(mirror, tmp_path / "raw")
    assert contents(tmp_path / "raw") == CONTENT
    assert contents(precious) == {"diary": b"dear"}


def test_complete_folder_needs_no_source(mirror, refused_url, tmp_path):
    fetch(mirror, tmp_path / "raw")
    fetch(refused_url, tmp_path / "raw")
    fetch(tmp_path / "nowhere", tmp_path / "raw")
    assert contents(tmp_path / "raw") == CONTENT


def test_progress_is_logged_where_no_terminal_is(server, tmp_path, caplog):
    caplog.set_level("INFO")
    fetch(server.url, tmp_path)
    assert "11 of 11 files" in caplog.messages
    assert "tinydb 2.0.0: all 11 files verified" in caplog.messages


# --- servers that falter ---


@pytest.mark.parametrize(
    ("manners", "requests"),
    [
        (("corrupt", "good"), 2),
        (("truncated", "good"), 2),
        (("stall", "truncated", "good"), 3),
        (("slow", "good"), 2),
        (("hang up", "hang up", "good"), 3),
        (("503", "503", "good"), 3),
        (("429 0", "good"), 2),
    ],
)
def test_faltering_server_is_asked_again(server, tmp_path, manners, requests):
    server.manners["2.dat"] = manners
    fetch(server.url, tmp_path, connections=HASTY if {"slow", "stall"} & {*manners} else QUICK)
    assert contents(tmp_path) == CONTENT
    assert server.requests["2.dat"] == requests


def test_retry_after_is_capped(server, tmp_path):
    server.manners["2.dat"] = ("503 86400", "good")
    fetch(server.url, tmp_path)
    assert contents(tmp_path) == CONTENT


# --- sources that fail ---


@pytest.mark.parametrize(
    ("manner", "requests", "message"),
    [
        ("corrupt", 2, "failed its checksum twice"),
        ("truncated", 3, "broke off 3 times"),
        ("stall", 3, "broke off 3 times"),
        ("slow", 3, "cannot be reached"),
        ("hang up", 3, "cannot be reached"),
        ("503", 3, "503"),
        ("404", 1, "the server answers 404"),
        ("403", 1, "the server answers 403"),
    ],
)
def test_failing_server_ends_the_fetch(server, tmp_path, manner, requests, message):
    server.manners["2.dat"] = (manner,)
    with pytest.raises(SourceError, match=message) as failure:
        fetch(server.url, tmp_path, connections=HASTY if manner in ("slow", "stall") else QUICK)
    for part in ("2.dat", server.url, "TINYDB_MIRROR", "make demo"):
        assert part in str(failure.value)
    assert server.requests["2.dat"] == requests
    assert contents(tmp_path).items() <= CONTENT.items()
    assert "2.dat" not in contents(tmp_path)


def test_checksum_error_names_what_was_expected_and_found(server, tmp_path):
    server.manners["2.dat"] = ("corrupt",)
    digest = hashlib.sha256(CONTENT["2.dat"][:-1] + b"?").hexdigest()
    with pytest.raises(SourceError) as failure:
        fetch(server.url, tmp_path)
    for part in ("2.dat", CHECKSUMS["2.dat"], digest, server.url):
        assert part in str(failure.value)


def test_a_source_announces_its_checksums_itself(server, tmp_path):
    server.manners["SHA256SUMS.txt"] = ("503", "good")
    assert announced_checksums(TINY, server.url, QUICK) == CHECKSUMS
    others = "".join(f"{'0' * 64}  {name}\n" for name in ("old/1.dat", "read me (old).txt", ".hidden", "../evil"))
    (tmp_path / "SHA256SUMS.txt").write_text(f"{ANNOUNCED}{others}")
    assert announced_checksums(TINY, str(tmp_path)) == CHECKSUMS


@pytest.mark.parametrize("text", ["", "no list\n", "<html>\n<p>Not here</p>\n", "<p>Not here</p>\n"])
def test_a_list_of_checksums_that_is_none(tmp_path, text):
    (tmp_path / "SHA256SUMS.txt").write_text(text)
    with pytest.raises(SourceError, match="no list of checksums"):
        announced_checksums(TINY, str(tmp_path))


def test_a_list_of_checksums_that_cannot_be_had(server, refused_url, tmp_path):
    server.manners["SHA256SUMS.txt"] = ("404",)
    for source in (server.url, refused_url.replace("//", "//me:secret@"), str(tmp_path)):
        with pytest.raises(SourceError, match=r"SHA256SUMS\.txt[\s\S]*set TINYDB_MIRROR") as failure:
            announced_checksums(TINY, source, QUICK)
        assert "secret" not in str(failure.value)


UNREACHABLE = r"(?s)cannot be reached.*TINYDB_MIRROR.*make demo"


def test_refused_connection_says_what_to_do(refused_url, tmp_path):
    with pytest.raises(SourceError, match=UNREACHABLE):
        fetch(refused_url, tmp_path)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("fault", [socket.gaierror(-3, "Temporary failure in name resolution"), TimeoutError()])
def test_physionet_out_of_reach_says_what_to_do(tmp_path, monkeypatch, fault):
    def no_address(host, *_):
        assert host == "physionet.org"
        raise fault

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    with pytest.raises(SourceError, match=UNREACHABLE) as failure:
        fetch("physionet", tmp_path)
    assert str(failure.value).startswith("https://physionet.org/files/tinydb/2.0.0/")
    assert contents(tmp_path) == {}


def test_silence_of_every_thread_ends_the_fetch(server, tmp_path):
    server.manners = dict.fromkeys(CONTENT, ("slow",))
    with pytest.raises(SourceError, match=r"no answer for 0.3 s"):
        fetch(server.url, tmp_path, connections=replace(QUICK, read_s=2.0, silence_s=0.3))
    assert contents(tmp_path) == {}


def test_password_in_a_url_is_not_shown(server, tmp_path, caplog):
    caplog.set_level("INFO")
    server.manners["2.dat"] = ("404",)
    with pytest.raises(SourceError) as failure:
        fetch(server.url.replace("//", "//me:secret@"), tmp_path)
    assert "secret" not in str(failure.value) + caplog.text


def test_certificate_is_verified(server, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)  # of an authority that nobody trusts
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(server.url.replace("http:", "https:"), tmp_path / "raw")
    assert server.requests == {}


# --- taking up a fetch that was cut off ---


def test_second_run_fetches_only_what_is_missing(server, tmp_path):
    server.manners["RECORDS"] = ("404", "good")
    with pytest.raises(SourceError):
        fetch(server.url, tmp_path, connections=replace(QUICK, workers=1))
    kept = contents(tmp_path)
    assert kept == {name: content for name, content in CONTENT.items() if name != "RECORDS"}
    server.requests.clear()
    server.manners.clear()
    fetch(server.url, tmp_path)
    assert contents(tmp_path) == CONTENT
    assert server.requests == {"RECORDS": 1}


def test_interrupt_leaves_whole_files_only(server, tmp_path, monkeypatch):
    class Interrupted(sources.tqdm):
        def update(self, _=1):
            raise KeyboardInterrupt

    server.manners["3.dat"] = ("stall",)
    monkeypatch.setattr(sources, "tqdm", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(server.url, tmp_path, connections=replace(HASTY, workers=2))
    kept = contents(tmp_path)
    assert kept
    assert kept.items() < CONTENT.items()
    monkeypatch.setattr(sources, "tqdm", Interrupted.__base__)
    server.manners.clear()
    server.requests.clear()
    fetch(server.url, tmp_path)
    assert contents(tmp_path) == CONTENT
    assert server.requests.keys() == CONTENT.keys() - kept.keys()


# --- folders ---


def test_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"mirror folder .*nowhere.* does not exist"):
        fetch(tmp_path / "nowhere", tmp_path / "raw")


def test_folder_that_lacks_a_file_is_named_with_it(mirror, tmp_path):
    (mirror / "2.hea").unlink()
    with pytest.raises(SourceError, match=r"mirror folder .*mirror/ has no file 2\.hea"):
        fetch(mirror, tmp_path / "raw")


def test_corrupt_file_of_a_folder_is_not_left_behind(mirror, tmp_path):
    (mirror / "2.hea").write_bytes(b"bad")
    with pytest.raises(SourceError, match=r"2\.hea from .*mirror.* failed its checksum twice"):
        fetch(mirror, tmp_path / "raw")
    assert contents(tmp_path / "raw").items() <= CONTENT.items()
    assert contents(mirror)["2.hea"] == b"bad"


# --- what is refused ---


@pytest.mark.parametrize("source", ["ftp://host/mitdb", "file:///etc", "https://", "https://host/db?key=1"])
def test_other_sources_are_refused(tmp_path, source):
    with pytest.raises(SourceError, match="is no source"):
        fetch(source, tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "..", ".hidden", "", "a\\b", "a\n", "a b"])
def test_names_that_could_leave_the_folder_are_refused(mirror, tmp_path, name):
    with pytest.raises(SourceError, match="no plain file name"):
        fetch_database(TINY, str(mirror), tmp_path / "raw", {name: "0" * 64})
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("digest", ["", "abc", "md5:" + "0" * 64, "0" * 63, "0" * 64 + "\n"])
def test_other_checksums_are_refused(mirror, tmp_path, digest):
    with pytest.raises(SourceError, match="no SHA-256"):
        fetch_database(TINY, str(mirror), tmp_path / "raw", {"1.dat": digest})


# --- published checksums ---


def test_published_checksums_cover_the_files_of_mitdb():
    checksums = published_checksums(MITDB)
    assert sorted(checksums) == list(MITDB.files)
    assert len(checksums) == 146
    assert checksums["100.dat"] == "b2ea3c250e56e48f4b7b90697832b8ecd1afa1e0bb31f2dcfea4ed6e1075a639"


def test_database_without_a_list_is_named():
    with pytest.raises(SourceError, match=r"tinydb-2\.0\.0\.sha256 is missing"):
        published_checksums(TINY)


def test_published_list_is_read_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "CHECKSUMS", tmp_path)
    lines = [f"{digest} {name}" for name, digest in {**CHECKSUMS, "x/1.txt": "0" * 64}.items()]
    (tmp_path / "tinydb-2.0.0.sha256").write_text("\n".join(lines) + "\n")
    assert published_checksums(TINY) == CHECKSUMS
    (tmp_path / "tinydb-2.0.0.sha256").write_text("\n".join(lines[1:]) + "\n")
    with pytest.raises(SourceError, match=r"no checksum for 1\.atr"):
        published_checksums(TINY)


def test_record_names_that_could_leave_the_folder_are_refused(tmp_path, monkeypatch):
    evil = Database(name="evil", version="1", ds1=("../1",), ds2=())
    monkeypatch.setattr(sources, "CHECKSUMS", tmp_path)
    (tmp_path / "evil-1.sha256").write_text("".join(f"{'0' * 64} {name}\n" for name in evil.files))
    with pytest.raises(SourceError, match="no plain file name"):
        published_checksums(evil)


@pytest.mark.mirror
def test_mitdb_is_fetched_whole(tmp_path):
    fetch_database(MITDB, os.environ["MITDB_MIRROR"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(MITDB.files)
    assert {name: hashlib.sha256(Path(tmp_path, name).read_bytes()).hexdigest() for name in MITDB.files} == (
        published_checksums(MITDB)
    )
