import json

import pytest

from stages.files.writing import read_json, remove, replacing, write_json


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with replacing(path) as unfinished:
        unfinished.write_text("a,b\n")
        assert not path.exists()
        assert unfinished.suffix == ".csv"
    assert path.read_text() == "a,b\n"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail():
        with replacing(path) as unfinished:
            unfinished.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "annotations"
    path.mkdir()
    (path / "old").write_text("")
    with replacing(path) as unfinished:
        unfinished.mkdir()
        (unfinished / "new").write_text("")
    assert [file.name for file in path.iterdir()] == ["new"]


def test_what_a_killed_run_left_is_cleared(tmp_path):
    (tmp_path / ".unfinished-a").mkdir()
    (tmp_path / ".unfinished-a" / "half").write_text("")
    with replacing(tmp_path / "a") as unfinished:
        assert not unfinished.exists()
        unfinished.write_text("whole")
    assert (tmp_path / "a").read_text() == "whole"


def test_json_is_indented_ends_with_a_newline_and_knows_no_nan(tmp_path):
    path = tmp_path / "scores.json"
    write_json(path, {"accuracy": 0.5, "f1_Q": None})
    assert path.read_text() == '{\n  "accuracy": 0.5,\n  "f1_Q": null\n}\n'
    assert read_json(path) == json.loads(path.read_text())
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"accuracy": float("nan")})
    assert read_json(path)["accuracy"] == 0.5


def test_a_link_to_a_folder_is_removed_and_the_folder_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    remove(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
