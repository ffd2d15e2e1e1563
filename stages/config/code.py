"""Which files of code a stage runs on, found by following its imports.

``python -m stages.config.code train`` prints the files for the ``deps`` of a stage in dvc.yaml.
``python -m stages.config.code reworded`` names the stages of which only comments, docstrings or layout changed since
their last run, so that ``dvc commit -f`` of these is right and spares the run.
"""

import argparse
import ast
import hashlib
import json
import subprocess
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parents[2]

NO_DEPENDENCY = {
    "stages/config/code.py": "follows imports, computes nothing",
    "stages/config/mirrors.py": "says where files come from; their bytes are checked",
    "stages/config/params.py": "each stage lists the keys that it reads as DVC parameters",
    "stages/config/paths.py": "the places are those that dvc.yaml names",
    "stages/config/progress.py": "says how far a stage is",
    "stages/config/runner.py": "begins and ends a stage",
    "stages/config/sweeps.py": "checks a file that the stage depends on",
    "stages/files/writing.py": "writes what others computed",
    "stages/training/tracking.py": "logs to W&B, which changes no result",
}
"""Files that change no output of a stage that imports them, and why. What they import is not followed either."""

DATA = {
    "stages/ecg/sources.py": ("stages/ecg/checksums",),
    "stages/reporting/model_card.py": ("stages/reporting/card.md.jinja",),
    "stages/reporting/page.py": ("stages/reporting/page.html",),
    "stages/reporting/provenance.py": ("stages/ecg/checksums",),
}
"""What a module reads from beside itself."""


def code_of(module: Path) -> list[Path]:
    """List the files that a module of this project runs on, itself first, with what they read from beside them.

    Imports inside functions count, those for type checkers alone do not; packages have nothing in their
    ``__init__.py`` that computes.

    Parameters
    ----------
    module : Path
        Relative to the top folder, such as ``stages/train.py``.

    Returns
    -------
    list of Path
        Relative to the top folder, sorted but for the first.
    """
    found: set[str] = set()
    waiting = [module.as_posix()]
    while waiting:
        path = waiting.pop()
        if path not in found and path not in NO_DEPENDENCY:
            found.add(path)
            waiting += imported_files(path)
    files = found | {data for path in found for data in DATA.get(path, ())}
    return [module, *map(Path, sorted(files - {module.as_posix()}))]


def imported_files(path: str) -> list[str]:
    """List the files of this project that a file imports itself."""
    tree = ast.parse((TOP / path).read_text(encoding="utf-8"))
    modules = {f"{module.replace('.', '/')}.py" for module in _imported(tree.body)}
    return sorted(file for file in modules if file.startswith("stages/") and (TOP / file).is_file())


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _imported(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from _imported(ast.iter_child_nodes(node))


def digest(files: Iterable[Path]) -> str:
    """Digest what files of code do, as SHA-256: comments, docstrings and layout leave it as it is.

    Parameters
    ----------
    files : iterable of Path
        Relative to the top folder; of those that are no Python, and of folders, all bytes count.
    """
    digested = hashlib.sha256()
    for path in files:
        whole = TOP / path
        for file in sorted(whole.rglob("*")) if whole.is_dir() else [whole]:
            if file.suffix == ".py":
                digested.update(meaning(file.read_text(encoding="utf-8")).encode())
            elif file.is_file():
                digested.update(file.read_bytes())
    return digested.hexdigest()


def meaning(source: str) -> str:
    """Give Python code without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def reworded(status: Mapping[str, Any], at_last_run: Callable[[str], str | None]) -> list[str]:
    """Name the stages that changed in words alone.

    Parameters
    ----------
    status : mapping
        As ``dvc status --json`` prints it.
    at_last_run : callable
        Gives the text that a file of code had when its stages ran; None if nobody knows.
    """

    def only_words(path: str, how: str) -> bool:
        before = at_last_run(path) if how == "modified" and path.endswith(".py") else None
        return before is not None and meaning(before) == meaning((TOP / path).read_text(encoding="utf-8"))

    names = []
    for stage, changes in status.items():
        deps = [change.get("changed deps") for change in changes if isinstance(change, dict)]
        if len(deps) == len(changes) and all(
            part is not None and all(only_words(*changed) for changed in part.items()) for part in deps
        ):
            names.append(stage)
    return names


def text_at_last_run(path: str) -> str | None:
    """Give the text of a file in the last commit of dvc.lock, if that is what dvc.lock says the stages ran on."""
    ran = yaml.safe_load((TOP / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    known = {dep["md5"] for stage in ran.values() for dep in stage.get("deps", []) if dep["path"] == path}
    commit = _git("log", "-1", "--format=%H", "--", "dvc.lock").decode().strip()
    source = _git("show", f"{commit}:{path}")
    digested = hashlib.md5(source, usedforsecurity=False).hexdigest()
    return source.decode("utf-8") if known == {digested} else None


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=TOP, capture_output=True, check=True).stdout


def _status() -> dict[str, Any]:
    done = subprocess.run(["dvc", "status", "--json"], cwd=TOP, capture_output=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Print the files of a stage as dvc.yaml has them, or the stages of which only words changed."""
    names = [path.stem for path in sorted((TOP / "stages").glob("*.py")) if path.stem != "__init__"]
    parser = argparse.ArgumentParser(
        prog="python -m stages.config.code", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*names, "reworded"], metavar="STAGE | reworded")
    what = parser.parse_args().what
    if what == "reworded":
        print("\n".join(reworded(_status(), text_at_last_run)))
        return
    listed = ", ".join(path.as_posix() for path in code_of(Path("stages") / f"{what}.py"))
    print("\n".join(textwrap.wrap(listed, 112, initial_indent=" " * 6, subsequent_indent=" " * 6)))


if __name__ == "__main__":
    main()
