"""The walker over imports, and what it takes for a change."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from stages.config import code
from stages.config.code import code_of, digest, imported_files, meaning, reworded

SOURCE = 'def f(x):\n    """Say one thing."""\n    return x + 1  # why\n'


def test_imports_in_functions_count_and_those_for_type_checkers_do_not():
    assert "stages/nets/saving.py" in imported_files("stages/nets/runtimes.py")
    assert "stages/ecg/databases.py" not in imported_files("stages/ecg/folds.py")


def test_the_code_of_a_stage_begins_with_itself_and_holds_what_is_imported_far_away():
    files = code_of(Path("stages/train.py"))
    assert files[0] == Path("stages/train.py")
    assert Path("stages/nets/augmentation.py") in files
    assert Path("stages/config/params.py") not in files
    assert Path("stages/ecg/checksums") in code_of(Path("stages/download.py"))


def test_comments_and_docstrings_mean_nothing_and_code_does():
    assert meaning(SOURCE) == meaning('def f(x):\n    """Say another."""\n\n    return (x + 1)\n')
    assert meaning(SOURCE) != meaning(SOURCE.replace("1", "2"))
    assert meaning('X = "Say one thing."\n') != meaning('X = "Say another."\n')


def test_a_digest_is_of_all_files():
    both = [Path("stages/train.py"), Path("stages/ecg/checksums")]
    assert len({digest(both), digest(both[:1]), digest(both[1:])}) == 3


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A project with one module, which says another thing than at its last run."""
    monkeypatch.setattr(code, "TOP", tmp_path)
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "a.py").write_text(SOURCE)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "status", "names"),
    [
        (SOURCE.replace("one", "another"), [{"changed deps": {"stages/a.py": "modified"}}], ["train"]),
        (SOURCE.replace("1", "2"), [{"changed deps": {"stages/a.py": "modified"}}], []),
        (None, [{"changed deps": {"stages/a.py": "modified"}}], []),
        (SOURCE, [{"changed deps": {"stages/a.py": "modified", "data/raw": "modified"}}], []),
        (SOURCE, [{"changed deps": {"stages/a.py": "modified", "params.yaml": {"train.seed": "modified"}}}], []),
        (SOURCE, [{"changed deps": {"stages/a.py": "modified"}}, {"changed outs": {"m.json": "modified"}}], []),
        (SOURCE, [{"changed deps": {"stages/a.py": "modified"}}, "changed command"], []),
        (SOURCE, [{"changed deps": {"stages/a.py": "deleted"}}], []),
    ],
)
def test_a_stage_is_reworded_if_nothing_but_words_changed(at_home, before, status, names):
    assert reworded({"train": status}, lambda _: before) == names


def test_what_a_stage_ran_on_is_the_text_that_dvc_lock_names(at_home):
    def git(*arguments):
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=at_home, check=True, capture_output=True)

    md5 = hashlib.md5(SOURCE.encode()).hexdigest()
    (at_home / "dvc.lock").write_text(f"stages: {{train: {{deps: [{{path: stages/a.py, md5: {md5}}}]}}}}\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "Run")
    (at_home / "stages" / "a.py").write_text("changed")
    assert code.text_at_last_run("stages/a.py") == SOURCE
    (at_home / "dvc.lock").write_text("stages: {train: {deps: [{path: stages/a.py, md5: other}]}}\n")
    assert code.text_at_last_run("stages/a.py") is None


def test_the_command_prints_the_code_of_a_stage():
    command = [sys.executable, "-m", "stages.config.code", "download"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [part.strip() for part in printed.split(",")] == [str(path) for path in code_of(Path("stages/download.py"))]
