"""Runs a stage, and says in one line what went wrong."""

import sys

import pytest

from stages.config.params import load_params
from stages.config.runner import ending_with_a_message, run_stage


def balance(params, protocol=None):
    """Stand for a stage: takes what it is given, or fails as it is told."""
    balance.arguments = (params, protocol)
    if isinstance(protocol, Exception):
        raise protocol


@pytest.fixture
def arguments(monkeypatch):
    return lambda *words: monkeypatch.setattr(sys, "argv", ["balance", *words])


def test_a_stage_is_given_the_parameters_and_its_arguments(arguments):
    arguments("inter_patient")
    run_stage(balance, protocol=("inter_patient", "intra_patient"))
    assert balance.arguments == (load_params(), "inter_patient")


def test_help_is_the_docstring_of_the_module_and_does_nothing(arguments, capsys):
    arguments("--help")
    balance.arguments = None
    with pytest.raises(SystemExit) as ended:
        run_stage(balance, protocol=("inter_patient", "intra_patient"))
    assert ended.value.code == 0
    assert "Runs a stage, and says in one line what went wrong." in capsys.readouterr().out
    assert balance.arguments is None


def test_an_unknown_argument_is_refused_with_those_that_are_known(arguments, capsys):
    arguments("inter")
    with pytest.raises(SystemExit):
        run_stage(balance, protocol=("inter_patient", "intra_patient"))
    assert "inter_patient" in capsys.readouterr().err


def test_any_value_is_taken_where_none_are_named(arguments):
    arguments("svdb")
    run_stage(balance, protocol=())
    assert balance.arguments[1] == "svdb"


@pytest.mark.parametrize("error", [FileNotFoundError("data/beats is missing"), LookupError("no such thing")])
def test_an_expected_error_is_one_line(error):
    with pytest.raises(SystemExit) as ended, ending_with_a_message("balance", (LookupError,)):
        raise error
    assert ended.value.code == f"balance: {error}"


def test_an_error_that_nobody_expected_is_shown_whole():
    with pytest.raises(LookupError), ending_with_a_message("balance"):
        raise LookupError


def test_an_interrupt_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as ended, ending_with_a_message("balance"):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err
