import io
import sys

import pytest
from joblib import delayed

from stages.config.progress import side_by_side, watched


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self):
        return True


def test_a_log_has_a_line_a_record(caplog):
    caplog.set_level("INFO")
    assert list(watched(iter([1, 2]), "detect", ["100", "101"])) == [1, 2]
    assert caplog.messages == ["detect: record 100, 1 of 2", "detect: record 101, 2 of 2"]


def test_a_terminal_has_a_bar_with_the_time_left(monkeypatch, caplog):
    caplog.set_level("INFO")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(watched(iter([1, 2]), "detect", ["100", "101"])) == [1, 2]
    assert "detect: 100%" in terminal.getvalue()
    assert "record/s" in terminal.getvalue() or "s/record" in terminal.getvalue()
    assert not caplog.messages


def test_a_result_that_is_missing_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        list(watched(iter([1]), "detect", ["100", "101"]))


def test_jobs_come_back_in_the_order_of_their_records(caplog):
    caplog.set_level("INFO")
    assert side_by_side((delayed(str.upper)(name) for name in "ab"), "extract", ["100", "101"]) == ["A", "B"]
    assert len(caplog.messages) == 2
