"""A server on loopback that holds a tiny database and misbehaves in all the ways servers do."""

import hashlib
import http.server
import threading
from collections import Counter

from stages.ecg.databases import Database

TINY = Database(name="tinydb", version="2.0.0", ds1=("1", "2"), ds2=("3",))
CONTENT = {name: (f"{name} of the tiny database\n" * 40 * (1 + len(name))).encode() for name in TINY.files}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
ANNOUNCED = "".join(f"{digest}  {name}\n" for name, digest in CHECKSUMS.items())


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; ``manners`` says, per file, how each request in turn is answered, the last one for ever."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.manners = {}
        self.requests = Counter()
        self.lock = threading.Lock()
        self.closing = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/tinydb"

    def next_manner(self, name):
        with self.lock:
            turn = self.requests[name]
            self.requests[name] += 1
        manners = self.manners.get(name, ("good",))
        return manners[min(turn, len(manners) - 1)]

    def handle_error(self, *_):
        """Keep quiet about clients that hang up."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keep quiet."""

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        content = ANNOUNCED.encode() if name == "SHA256SUMS.txt" else CONTENT[name]
        manner = self.server.next_manner(name)
        self.close_connection = manner in ("hang up", "slow", "truncated", "stall")
        if manner == "hang up":
            return
        if manner == "slow":
            self.server.closing.wait(10)
            return
        if manner == "corrupt":
            content = content[:-1] + b"?"
        status, *after = str(manner).split() if str(manner)[0].isdigit() else ("200",)
        self.send_response(int(status))
        if after:
            self.send_header("Retry-After", after[0])
        body = content if status == "200" else b"no"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if manner in ("truncated", "stall") else body)
        if manner == "stall":
            self.server.closing.wait(10)
