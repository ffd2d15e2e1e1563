"""Where published records come from: PhysioNet, a mirror URL or a folder; no file counts before its checksum does."""

import logging
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util.retry import Retry

from stages.ecg.databases import Database
from stages.files.writing import remove

PHYSIONET = "https://physionet.org/files/{name}/{version}/"
CHECKSUMS = Path(__file__).parent / "checksums"
BUSY = (429, 500, 502, 503, 504)
"""Answers of a server that are worth another try."""
LIST = "SHA256SUMS.txt"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
DIGEST = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 16
GRACE_S = 1.0
"""How long a fetch that fails or is interrupted waits for its threads to clear up."""

log = logging.getLogger(__name__)


class SourceError(RuntimeError):
    """The files of a database cannot be had from a source; the message says why and what to do."""


class _StoppedError(Exception):
    """Ends a download that nobody waits for any more."""


@dataclass(frozen=True)
class Connections:
    """How many files are fetched at a time, how long to wait for a source, and how often to ask again.

    Attributes
    ----------
    workers : int
        Files at a time.
    connect_s, read_s : float
        Time-outs of a connection and of the next byte, s.
    silence_s : float
        The fetch ends when no byte of any file arrives for so long, s. Bounds what the time-outs leave open:
        name servers that do not answer, hosts with many addresses.
    retries : int
        How often a request, or a body that broke off, is tried again.
    backoff_s : float
        Pause before a retry, s; doubles each time.
    longest_pause_s : int
        Bound of that pause and of a server's Retry-After, s.
    """

    workers: int = 8
    connect_s: float = 10.0
    read_s: float = 20.0
    silence_s: float = 45.0
    retries: int = 2
    backoff_s: float = 1.0
    longest_pause_s: int = 10


CONNECTIONS = Connections()


def mirror_variable(database: Database) -> str:
    """Name the environment variable that may point to a mirror of a database."""
    return f"{database.name.upper().replace('-', '_')}_MIRROR"


def published_checksums(database: Database) -> dict[str, str]:
    """Look up the published SHA-256 of each file that the pipeline needs of a database.

    Returns
    -------
    dict of str to str
        File name -> hexadecimal digest, for ``database.files``.

    Raises
    ------
    SourceError
        If no list is kept for this version, or a file is missing in it or has no plain name.
    """
    path = CHECKSUMS / f"{database.name}-{database.version}.sha256"
    if not path.is_file():
        raise SourceError(f"{path} is missing; save the SHA256SUMS.txt of {database.name} {database.version} there")
    listed = {name: digest for digest, name in (line.split(maxsplit=1) for line in path.read_text().splitlines())}
    unlisted = [name for name in database.files if name not in listed]
    if unlisted:
        raise SourceError(f"{path} has no checksum for {', '.join(unlisted)}; restore the list as it was published")
    return _checked({name: listed[name] for name in database.files})


def announced_checksums(database: Database, source: str, connections: Connections = CONNECTIONS) -> dict[str, str]:
    """Read the list of checksums that a source itself gives: for databases of which the project keeps none.

    Parameters
    ----------
    database, source, connections
        As for :func:`fetch_database`.

    Returns
    -------
    dict of str to str
        File name -> SHA-256; what lies in folders below, or has no plain name, is left out.

    Raises
    ------
    SourceError
        If the list cannot be had, or is none.
    """
    base = _base(database, source)
    advice = f"set {mirror_variable(database)} to a folder or URL that holds {database.name} {database.version}"
    if "://" not in base:
        if not (Path(base) / LIST).is_file():
            raise SourceError(f"{Path(base) / LIST} is missing; {advice} with the list of its checksums")
        text = (Path(base) / LIST).read_text(encoding="utf-8")
    else:
        try:
            with _session(connections) as session:
                response = session.get(base + LIST, timeout=(connections.connect_s, connections.read_s))
                response.raise_for_status()
        except requests.RequestException as error:
            raise SourceError(f"{_shown(f'{base}{LIST} cannot be had: {error}')}; {advice}") from error
        text = response.text
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    if not lines or any(len(line) != 2 or not DIGEST.fullmatch(line[0]) for line in lines):
        raise SourceError(f"{_shown(base)}{LIST} is no list of checksums; expected a SHA-256 and a name a line")
    return {name.strip(): digest for digest, name in lines if PLAIN_NAME.fullmatch(name.strip())}


def fetch_database(
    database: Database,
    source: str,
    folder: Path,
    checksums: Mapping[str, str] | None = None,
    connections: Connections = CONNECTIONS,
) -> None:
    """Bring a folder to hold exactly the published files of a database.

    Files that are there and verify are kept, all else in the folder is removed, and what is missing is fetched in
    parallel. A file takes its name only after its checksum agrees, so a fetch that was cut off can be taken up again.

    Parameters
    ----------
    database : Database
        Its name and version are looked up at PhysioNet and said in messages.
    source : str
        ``physionet``, an http(s) URL, or a folder; URL and folder hold the files under their published names.
    folder : Path
        Made where it is missing.
    checksums : mapping of str to str, optional
        File name -> SHA-256 of the files wanted; by default :func:`published_checksums`.
    connections : Connections
        Time-outs and retries are those of an http(s) source.

    Raises
    ------
    SourceError
        If the source is not one, cannot be reached, lacks a file, or twice gives a file with a wrong checksum.
    """
    wanted = published_checksums(database) if checksums is None else _checked(checksums)
    base = _base(database, source)
    folder.mkdir(parents=True, exist_ok=True)
    for path in list(folder.iterdir()):
        if not _verifies(path, wanted.get(path.name)):
            remove(path)
    missing = [name for name in sorted(wanted) if not (folder / name).exists()]
    if missing:
        log.info("fetching %d of %d files of %s from %s", len(missing), len(wanted), database.name, _shown(base))
        try:
            _Fetch(pooch.Pooch(folder, base, registry=wanted), connections).run(missing)
        except SourceError as error:
            raise SourceError(
                f"{_shown(str(error))}\nFiles that verified are kept. Run again, or set {mirror_variable(database)} "
                f"to a folder or URL that holds {database.name} {database.version}, or run `make demo` "
                "for the synthetic database."
            ) from error
        changed = [name for name in missing if not _verifies(folder / name, wanted[name])]
        if changed:
            raise SourceError(f"{', '.join(changed)} in {folder} changed after the fetch; check the disk and run again")
    log.info("%s %s: all %d files verified", database.name, database.version, len(wanted))


class _Fetch:
    """One fetch: threads that take names from a queue, and the clock that ends it when the source falls silent."""

    def __init__(self, store: pooch.Pooch, connections: Connections) -> None:
        self.store, self.connections = store, connections
        self.stop = threading.Event()
        self.last_byte = time.monotonic()
        self.todo: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self.session = _session(connections)
        self.downloader: Callable[[str, str, pooch.Pooch], None] = self.get if "://" in store.base_url else self.copy
        pooch.get_logger().setLevel(logging.ERROR)
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def run(self, names: list[str]) -> None:
        """Fetch files; the first failure ends it."""
        for name in names:
            self.todo.put(name)
        # Daemons: the threads of an executor are joined at exit, so Ctrl-C would wait for what they are blocked in.
        workers = min(self.connections.workers, len(names))
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            with tqdm(total=len(names), unit="file", disable=None) as bar:
                for count in range(1, len(names) + 1):
                    self.wait_for_one()
                    bar.update()
                    if bar.disable and (count % max(1, len(names) // 10) == 0 or count == len(names)):
                        log.info("%d of %d files", count, len(names))
        finally:
            self.stop.set()
            deadline = time.monotonic() + GRACE_S
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            self.session.close()
            for path in list(self.store.abspath.iterdir()):
                if path.name not in self.store.registry:
                    remove(path)

    def wait_for_one(self) -> None:
        while True:
            try:
                failure = self.outcomes.get(timeout=0.1)
            except queue.Empty:
                if time.monotonic() - self.last_byte < self.connections.silence_s:
                    continue
                failure = SourceError(
                    f"{self.store.base_url} cannot be reached: no answer for {self.connections.silence_s:g} s"
                )
            if failure is not None:
                raise failure
            return

    def work(self) -> None:
        try:
            while not self.stop.is_set():
                self.fetch(self.todo.get_nowait())
                self.outcomes.put(None)
        except queue.Empty:
            return
        except Exception as error:
            self.outcomes.put(error)

    def fetch(self, name: str) -> None:
        for last in (False, True):
            try:
                path = Path(self.store.fetch(name, downloader=self.downloader))
            except ValueError as error:
                if last:
                    source = self.store.base_url
                    raise SourceError(f"{name} from {source} failed its checksum twice: {error}") from error
            else:
                # The temporary files that pooch renames are readable by their owner only.
                path.chmod(0o644)
                return

    def heard(self) -> None:
        if self.stop.is_set():
            raise _StoppedError
        self.last_byte = time.monotonic()

    def copy(self, path: str, output_file: str, _: pooch.Pooch) -> None:
        self.heard()
        if not Path(path).is_file():
            fault = f"has no file {Path(path).name}" if Path(path).parent.is_dir() else "does not exist"
            raise SourceError(f"the mirror folder {self.store.base_url} {fault}")
        shutil.copyfile(path, output_file)

    def get(self, url: str, output_file: str, _: pooch.Pooch) -> None:
        for attempt in range(self.connections.retries + 1):
            with self.answer(url) as response, Path(output_file).open("wb") as file:
                try:
                    for chunk in response.iter_content(CHUNK):
                        self.heard()
                        file.write(chunk)
                    return
                except requests.RequestException as error:
                    failure = error
            self.stop.wait(min(self.connections.backoff_s * 2**attempt, self.connections.longest_pause_s))
        raise SourceError(f"{url} broke off {self.connections.retries + 1} times: {failure}") from failure

    def answer(self, url: str) -> requests.Response:
        self.heard()
        try:
            response = self.session.get(url, stream=True, timeout=(self.connections.connect_s, self.connections.read_s))
        except requests.exceptions.RetryError as error:
            raise SourceError(f"{url} answers with errors only: {error}") from error
        except requests.RequestException as error:
            raise SourceError(f"{url} cannot be reached: {error}") from error
        if self.stop.is_set():
            response.close()
        self.heard()
        if response.status_code != requests.codes.ok:
            response.close()
            raise SourceError(f"{url} cannot be had: the server answers {response.status_code} {response.reason}")
        return response


def _session(connections: Connections) -> requests.Session:
    retry = Retry(
        total=connections.retries,
        other=0,
        status_forcelist=BUSY,
        backoff_factor=connections.backoff_s,
        backoff_max=connections.longest_pause_s,
        retry_after_max=connections.longest_pause_s,
    )
    session = requests.Session()
    # A compressed body would hide that it is shorter than announced.
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=connections.workers))
    return session


def _base(database: Database, source: str) -> str:
    if source == "physionet":
        return PHYSIONET.format(name=database.name, version=database.version)
    if "://" not in source:
        return f"{Path(source).expanduser()}/"
    url = urlsplit(source)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise SourceError(f"{_shown(source)} is no source; give physionet, an http(s) URL, or a folder")
    return f"{source.rstrip('/')}/"


def _checked(checksums: Mapping[str, str]) -> dict[str, str]:
    for name, digest in checksums.items():
        if not PLAIN_NAME.fullmatch(name):
            raise SourceError(f"{name!r} is no plain file name: letters, digits and _ . - with no dot in front")
        if not DIGEST.fullmatch(digest):
            raise SourceError(f"the checksum of {name} is no SHA-256 in hexadecimal digits: {digest!r}")
    return dict(checksums)


def _verifies(path: Path, digest: str | None) -> bool:
    return digest is not None and path.is_file() and pooch.file_hash(path) == digest


def _shown(text: str) -> str:
    """Leave the passwords of URLs out of a text."""
    return re.sub(r"//[^/@\s]*@", "//", text)
