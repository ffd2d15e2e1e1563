"""What every command says of itself when it is asked for help, and that it does nothing else."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

STAGES = Path(__file__).resolve().parents[1] / "stages"
COMMANDS = sorted(path.stem for path in STAGES.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_and_does_nothing_else(name, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", f"stages.{name}", "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(STAGES.parent)},
    )
    assert ended.returncode == 0, ended.stderr
    meaning = ast.get_docstring(ast.parse((STAGES / f"{name}.py").read_text())).splitlines()[0]
    assert meaning in ended.stdout.splitlines()
    assert not list(tmp_path.iterdir())
