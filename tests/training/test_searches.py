"""Which searches go on with each other's trials."""

import shutil
from pathlib import Path

import pytest

from stages.config import code
from stages.config.params import load_params
from stages.training.searches import search_of
from tests.parameter_files import PROJECT, copy_params, set_params


def test_a_search_is_known_by_what_makes_its_trials(tmp_path, monkeypatch):
    copy_params(tmp_path)

    def known(model):
        return search_of(load_params(), model).fingerprint

    monkeypatch.chdir(tmp_path)
    cnn, rnn = known("cnn"), known("rnn")
    assert cnn != rnn
    set_params(tmp_path, rnn__run_cap=7, train__inter_patient__members=2)
    assert known("cnn") == cnn
    assert known("rnn") != rnn
    set_params(tmp_path, sweep__fraction_of_beats=0.123)
    assert known("cnn") != cnn


TRIAL_CODE = sorted(
    {
        path.as_posix()
        for module in ("training/cross_validation", "search/local", "search/space")
        for path in code.code_of(Path(f"stages/{module}.py"))
    }
)
"""Files that a trial is computed with."""


@pytest.fixture(scope="module")
def fingerprint(tmp_path_factory):
    """That of a search with the code and the parameters as they are, and no beats: `copied` has none either."""
    folder = tmp_path_factory.mktemp("as_it_is")
    copy_params(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        return search_of(load_params(), "cnn").fingerprint


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the code and of the parameters, to be changed, from which fingerprints are taken."""
    copy_params(tmp_path)
    shutil.copytree(PROJECT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(code, "TOP", tmp_path)
    return tmp_path


def test_a_trial_is_computed_with_all_that_this_names():
    assert {"stages/nets/augmentation.py", "stages/scores/per_beat.py", "stages/search/trials.py"} <= set(TRIAL_CODE)


@pytest.mark.parametrize("path", TRIAL_CODE)
def test_no_search_goes_on_with_other_code(fingerprint, copied, path):
    with (copied / path).open("a") as file:
        file.write("\nCHANGED = True\n")
    assert search_of(load_params(), "cnn").fingerprint != fingerprint


def test_a_search_goes_on_when_only_what_people_read_has_changed(fingerprint, copied):
    for path in TRIAL_CODE:
        text = (copied / path).read_text()
        (copied / path).write_text('"""Says something else."""\n' + text.split('"""', 2)[2] + "\n# A remark.\n")
    (copied / "stages/predict.py").write_text("CHANGED = True\n")
    assert search_of(load_params(), "cnn").fingerprint == fingerprint
