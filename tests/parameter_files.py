"""Copies of params.yaml and sweeps/, to be changed."""

import shutil
from pathlib import Path

import yaml

from stages.config.params import MODELS

PROJECT = Path.cwd()


def set_params(folder: Path, **settings) -> None:
    """Set keys of params.yaml (``train__seed=1``) and of the sweep of a network (``cnn__run_cap=3``)."""
    for name, value in settings.items():
        first, *others = name.split("__")
        path = folder / (f"sweeps/{first}.yaml" if first in MODELS else "params.yaml")
        *sections, last = others if first in MODELS else (first, *others)
        params = section = yaml.safe_load(path.read_text())
        for section_name in sections:
            section = section[section_name]
        section[last] = value
        path.write_text(yaml.safe_dump(params, sort_keys=False))


def copy_params(folder: Path) -> None:
    shutil.copy2(PROJECT / "params.yaml", folder)
    shutil.copytree(PROJECT / "sweeps", folder / "sweeps")
