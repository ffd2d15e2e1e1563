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


@pytest.fixture
def help_of(tmp_path, monkeypatch, capsys):
    """Run a command with ``--help`` in an empty folder, and give the lines that it prints."""

    def run(name, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *arguments, "--help"])
        monkeypatch.delitem(sys.modules, f"stages.{name}", raising=False)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"stages.{name}", run_name="__main__", alter_sys=True)
        assert ended.value.code == 0
        assert not list(tmp_path.iterdir())
        return capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_and_does_nothing_else(name, help_of):
    lines = help_of(name)
    assert lines[0].startswith(f"usage: python -m stages.{name}")
    assert meaning_of(name) in lines


def test_a_command_of_the_sweep_has_help_of_its_own(help_of):
    lines = help_of("sweep", "search")
    assert lines[0].startswith("usage: python -m stages.sweep search")
    assert "Run the search, or go on with it, and report it: the DVC stage." in lines


@pytest.mark.slow
def test_help_is_there_from_a_shell():
    command = [sys.executable, "-m", "stages.download", "--help"]
    printed = subprocess.run(command, cwd=STAGES.parent, capture_output=True, text=True, check=True).stdout
    assert printed.startswith("usage: python -m stages.download")
    assert meaning_of("download") in printed
