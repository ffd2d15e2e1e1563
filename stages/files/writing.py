"""Files that appear when they are complete: one way to write JSON, and one to replace a file or a folder."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a hidden sibling to write to, which takes the place of a file or folder when the block ends well.

    An error in the block, or a kill, leaves what stood at ``path`` as it was.

    Parameters
    ----------
    path : Path
        A file or a folder, there or not. Its parent folder is made if need be.

    Yields
    ------
    Path
        Nothing is there yet; has the suffix of ``path``.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    remove(unfinished)
    try:
        yield unfinished
        if path.is_dir():
            remove(path)
        unfinished.replace(path)
    finally:
        remove(unfinished)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a mapping as indented JSON with a newline at its end.

    Raises
    ------
    ValueError
        If a number is NaN or infinite, which JSON does not know.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all in it; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
