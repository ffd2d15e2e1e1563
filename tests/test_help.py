"""What every command says of itself when it is asked for help, and that it does nothing else."""

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

STAGES = Path(__file__).resolve().parents[1] / "stages"
COMMANDS = sorted(path.stem for path in STAGES.glob("*.py") if path.stem != "__init__")


def meaning_of(name):
    """The first line of the docstring of a module."""
    return ast.get_docstring(ast.parse((STAGES / f"{name}.py").read_text())).splitlines()[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_and_does_nothing_else(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.delitem(sys.modules, f"stages.{name}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"stages.{name}", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"usage: python -m stages.{name}")
    assert meaning_of(name) in said
    assert not list(tmp_path.iterdir())


def test_help_is_there_from_a_shell():
    command = [sys.executable, "-m", "stages.download", "--help"]
    said = subprocess.run(command, cwd=STAGES.parent, capture_output=True, text=True, check=True).stdout
    assert said.startswith("usage: python -m stages.download")
    assert meaning_of("download") in said
