"""Which files of code a stage runs on, found by following its imports.

``python -m stages.config.code train`` prints the files for the ``deps`` of a stage in dvc.yaml.
"""

import ast
import hashlib
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

NO_DEPENDENCY = {
    "stages/config/code.py": "follows imports, computes nothing",
    "stages/config/mirrors.py": "says where files come from; their bytes are checked",
    "stages/config/params.py": "each stage lists the keys that it reads as DVC parameters",
    "stages/config/paths.py": "the places are those that dvc.yaml names",
    "stages/config/runner.py": "begins and ends a stage",
    "stages/files/writing.py": "writes what others computed",
    "stages/training/tracking.py": "logs to W&B, which changes no result",
}
"""Files that change no output of a stage that imports them, and why. What they import is not followed either."""

DATA = {"stages/ecg/sources.py": ("stages/ecg/checksums",), "stages/reporting/page.py": ("stages/reporting/page.html",)}
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


def main() -> None:
    """Print the files of a stage as dvc.yaml has them."""
    names = [path.stem for path in sorted((TOP / "stages").glob("*.py")) if path.stem != "__init__"]
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit(f"{__doc__}\nexpected one of: {', '.join(names)}")
    listed = ", ".join(path.as_posix() for path in code_of(Path("stages") / f"{sys.argv[1]}.py"))
    print("\n".join(textwrap.wrap(listed, 112, initial_indent=" " * 6, subsequent_indent=" " * 6)))


if __name__ == "__main__":
    main()
