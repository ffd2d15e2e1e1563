"""A stand-in for the W&B server, on loopback: enough of its API for runs, sweeps, agents and `wandb sync`.

A sweep hands out configurations at random and ends trials as W&B's Hyperband does: at a rung, a run goes on if its
score is among the best third of those that reached it. What was received is kept in memory for the tests to look at.
"""

import gzip
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import yaml

from stages.search.space import SweepConfiguration

ENTITY = "tester"


@dataclass
class Run:
    name: str
    sweep: str | None = None
    group: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    state: str = "running"
    stop: bool = False


@dataclass
class Sweep:
    name: str
    text: str
    configuration: SweepConfiguration
    handed_out: int = 0
    rungs: dict[int, list[float]] = field(default_factory=dict)


class WandbServer(ThreadingHTTPServer):
    """Serves on a free port of loopback until closed; a context manager.

    While ``lost`` is set it hangs up on everyone, as a network that is lost.
    """

    daemon_threads = True

    def __init__(self, end_early: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.end_early = end_early
        self.lost = False
        self.runs: dict[str, Run] = {}
        self.sweeps: dict[str, Sweep] = {}
        self.agents: dict[str, str] = {}
        self.keys: set[str] = set()
        self.unknown: list[str] = []
        self.lock = threading.RLock()
        self.rng = np.random.default_rng(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "WandbServer":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that hang up."""

    def run_of(self, name: str) -> Run:
        return self.runs.setdefault(name, Run(name))

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer one GraphQL operation."""
        operation = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = operation.group(1) if operation else query[:80]
        method = getattr(self, f"on_{name}", None)
        if method is None:
            self.unknown.append(name)
            raise LookupError(f"the stand-in does not know {name}")
        with self.lock:
            return method(variables)

    def on_ServerFeaturesQuery(self, _: dict) -> dict:
        return {"serverInfo": {"features": []}}

    def on_Viewer(self, _: dict) -> dict:
        teams = {"edges": [{"node": {"id": "t1", "name": ENTITY}}]}
        return {"viewer": {"id": "u1", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": teams}}

    on_GetViewer = on_GetDefaultEntity = on_Viewer

    def on_UpsertSweep(self, variables: dict) -> dict:
        text = variables["config"]
        configuration = SweepConfiguration.model_validate(yaml.safe_load(text))
        sweep = Sweep(f"sweep{len(self.sweeps)}", text, configuration)
        self.sweeps[sweep.name] = sweep
        return {
            "upsertSweep": {
                "sweep": {"name": sweep.name, "project": _project(variables["projectName"])},
                "configValidationWarnings": [],
            }
        }

    def on_CreateAgent(self, variables: dict) -> dict:
        agent = f"agent{len(self.agents)}"
        self.agents[agent] = variables["sweep"]
        return {"createAgent": {"agent": {"id": agent}}}

    def on_Heartbeat(self, variables: dict) -> dict:
        command = self._command(self.sweeps[self.agents[variables["id"]]], json.loads(variables["runState"]))
        commands = json.dumps([command] if command else [])
        return {"agentHeartbeat": {"agent": {"id": variables["id"]}, "commands": commands}}

    def _command(self, sweep: Sweep, running: dict[str, bool]) -> dict | None:
        stopped = next((name for name in running if self.run_of(name).stop), None)
        if stopped:
            return {"type": "stop", "run_id": stopped}
        if running:
            return None
        if sweep.handed_out == sweep.configuration.run_cap:
            return {"type": "exit"}
        run = self.run_of(f"run{len(self.runs)}")
        run.sweep = sweep.name
        sweep.handed_out += 1
        chosen = {name: one.at(self.rng.random()) for name, one in sweep.configuration.parameters.items()}
        arguments = {name: {"value": value} for name, value in chosen.items()}
        return {"type": "run", "run_id": run.name, "program": sweep.configuration.program, "args": arguments}

    def on_UpsertBucket(self, variables: dict) -> dict:
        run = self.run_of(variables["name"])
        run.sweep = variables.get("sweep") or run.sweep
        run.group = variables.get("groupName") or run.group
        described = json.loads(variables.get("config") or "{}")
        run.config.update({name: one["value"] for name, one in described.items() if name != "_wandb"})
        bucket = {"id": run.name, "name": run.name, "displayName": run.name, "sweepName": run.sweep}
        bucket |= {"config": "{}", "historyLineCount": 0, "project": _project(variables["project"])}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def on_RunResumeStatus(self, _: dict) -> dict:
        return {"model": {"id": "p1", "name": "project", "entity": {"id": "e1", "name": ENTITY}, "bucket": None}}

    def on_CreateRunFiles(self, variables: dict) -> dict:
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in variables["files"]]
        return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}

    def on_GetSweep(self, variables: dict) -> dict:
        sweep = self.sweeps[variables["name"]]
        state = "FINISHED" if sweep.handed_out == sweep.configuration.run_cap else "RUNNING"
        described = {"id": sweep.name, "name": sweep.name, "state": state, "config": sweep.text}
        return {"project": {"sweep": described}}

    def on_SweepWithRuns(self, variables: dict) -> dict:
        answer = self.on_GetSweep({"name": variables["sweep"]})
        answer["project"]["sweep"] |= {"controller": None, "scheduler": None, "runs": {"edges": []}}
        return answer

    def on_Runs(self, variables: dict) -> dict:
        wanted = json.loads(variables["filters"])["$and"][0]["sweep"]
        runs_of_sweep = [run for run in self.runs.values() if run.sweep == wanted]
        edges = [{"node": _described(run), "cursor": run.name} for run in runs_of_sweep]
        page = {"endCursor": None, "hasNextPage": False}
        return {
            "project": {
                "internalId": "1",
                "runCount": len(runs_of_sweep),
                "readOnly": False,
                "runs": {"edges": edges, "pageInfo": page},
            }
        }

    def on_Run(self, variables: dict) -> dict:
        return {"project": {"run": _described(self.runs[variables["name"]])}}

    def receive(self, name: str, streamed: dict[str, Any]) -> None:
        """Take what a run streams: rows of its history, its summary, and how it ended."""
        with self.lock:
            run = self.run_of(name)
            files = streamed.get("files") or {}
            for line in files.get("wandb-history.jsonl", {}).get("content", []):
                run.rows.append(json.loads(line))
                self._stop_if_poor(run)
            for line in files.get("wandb-summary.json", {}).get("content", []):
                run.summary = json.loads(line)
            if streamed.get("complete"):
                run.state = "finished" if streamed.get("exitcode") == 0 else "failed"

    def _stop_if_poor(self, run: Run) -> None:
        sweep = self.sweeps.get(run.sweep or "")
        if not self.end_early or sweep is None or sweep.configuration.early_terminate is None:
            return
        hyperband, metric = sweep.configuration.early_terminate, sweep.configuration.metric
        scores = [row[metric.name] for row in run.rows if metric.name in row]
        if len(scores) != hyperband.first_look:
            return
        rivals = sweep.rungs.setdefault(len(scores), [])
        rivals.append(scores[-1] if metric.goal == "maximize" else -scores[-1])
        run.stop = rivals[-1] < sorted(rivals)[-max(1, len(rivals) // hyperband.eta)]


class Handler(BaseHTTPRequestHandler):
    server: WandbServer
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        if self.server.lost:
            self.close_connection = True
        else:
            super().handle_one_request()

    def do_POST(self) -> None:
        body = self._body()
        self.server.keys.add(self.headers.get("Authorization", ""))
        if self.path.endswith("/file_stream"):
            self.server.receive(self.path.split("/")[-2], json.loads(body))
            return self._reply({"exitcode": None, "limits": {}})
        asked = json.loads(body)
        try:
            return self._reply({"data": self.server.answer(asked["query"], asked.get("variables") or {})})
        except LookupError as error:
            return self._reply({"errors": [{"message": str(error)}]})

    def do_PUT(self) -> None:
        self._body()
        self._reply({})

    def do_GET(self) -> None:
        self._reply({})

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _project(name: str) -> dict[str, Any]:
    return {"id": "p1", "name": name, "entity": {"id": "e1", "name": ENTITY}}


def _described(run: Run) -> dict[str, Any]:
    return {
        "id": run.name,
        "projectId": "1",
        "name": run.name,
        "displayName": run.name,
        "sweepName": run.sweep,
        "state": run.state,
        "config": json.dumps({name: {"value": value} for name, value in run.config.items()}),
        "summaryMetrics": json.dumps(run.summary),
        "systemMetrics": "{}",
        "historyKeys": None,
        "user": {"name": ENTITY, "username": ENTITY},
    }
