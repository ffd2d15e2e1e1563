import pytest

from stages.search.trials import NoTrialError, Trial, best_trial, summarise_trials, tabulate

TRIALS = [
    Trial("0", "complete", {"size": 8}, score=0.5, epochs=9, beats=900, seconds=10.0),
    Trial("1", "pruned", {"size": 16}, score=0.9, epochs=3, beats=300, seconds=3.0),
    Trial("2", "failed", {"size": 4}, error="FloatingPointError: the loss is nan"),
    Trial("3", "complete", {"size": 32}, score=0.7, epochs=9, beats=900, seconds=7.0),
    Trial("4", "complete", {"size": 64}, score=0.7, epochs=9, beats=900, seconds=10.0),
    Trial("5", "interrupted", {}),
]


def test_the_best_is_complete_and_the_first_of_equals():
    assert best_trial(TRIALS, "maximize").name == "3"
    assert best_trial(TRIALS, "minimize").name == "0"


def test_without_a_complete_trial_the_first_error_is_told():
    with pytest.raises(
        NoTrialError, match=r"none of 2 trials was completed; first error: FloatingPointError: the loss"
    ):
        best_trial(TRIALS[1:3], "maximize")


def test_the_table_has_a_row_a_trial_with_every_hyperparameter():
    table = tabulate(TRIALS)
    assert list(table.columns) == ["trial", "state", "score", "epochs_run", "size", "beats", "seconds", "error"]
    assert list(table["trial"]) == ["0", "1", "2", "3", "4", "5"]
    assert table["size"].tolist()[:5] == [8, 16, 4, 32, 64]
    assert table["score"].isna().tolist() == [False, False, True, False, False, True]


def test_the_summary_counts_every_state_and_adds_up_time():
    summary = summarise_trials(TRIALS, "maximize")
    states = [summary[f"trials_{state}"] for state in ("complete", "pruned", "failed", "interrupted")]
    assert states == [3, 1, 1, 1]
    assert (summary["best_trial"], summary["best_score"], summary["best_config"]) == ("3", 0.7, {"size": 32})
    assert summary["seconds"] == 30.0
    assert summary["beats_per_s"] == 100
