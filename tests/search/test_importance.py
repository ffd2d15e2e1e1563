import pytest

from stages.search.importance import axis_positions, importances
from stages.search.trials import Trial
from tests.search.sample import configuration


def trials_of(*scored):
    return [Trial(str(number), "complete", config, score=score) for number, (config, score) in enumerate(scored)]


def test_what_the_score_hangs_on_is_found():
    space = configuration(x={"min": 0.0, "max": 1.0}, y={"min": 0.0, "max": 1.0})
    trials = trials_of(*(({"x": n / 20, "y": n * 7 % 20 / 20}, n / 20) for n in range(20)))
    shares = importances(trials, space, seed=1)
    assert shares["x"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_where_scores_do_not_differ_nothing_matters():
    space = configuration(x={"min": 0.0, "max": 1.0})
    assert importances(trials_of(({"x": 0.1}, 0.5), ({"x": 0.2}, 0.5)), space, seed=1) == {"x": 0.0}


def test_where_all_is_constant_there_is_no_axis():
    space = configuration(x={"value": 0.1})
    trials = trials_of(({"x": 0.1}, 0.5), ({"x": 0.1}, 0.6))
    positions, ticks = axis_positions(trials, space)
    assert positions.shape == (2, 0)
    assert ticks == {}
    assert importances(trials, space, seed=1) == {}


def test_a_zero_that_rounding_makes_has_a_place_on_a_logarithmic_axis():
    space = configuration(x={"distribution": "q_log_uniform_values", "min": 0.01, "max": 0.4, "q": 0.05})
    positions, _ = axis_positions(trials_of(({"x": 0.0}, 0.5), ({"x": 0.1}, 0.6), ({"x": 0.4}, 0.7)), space)
    assert positions["x"].tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_a_range_that_rounding_leaves_one_value_of_is_in_the_middle():
    space = configuration(x={"distribution": "q_uniform", "min": 8, "max": 9, "q": 4})
    positions, _ = axis_positions(trials_of(({"x": 8}, 0.5)), space)
    assert positions["x"].tolist() == [0.5]
