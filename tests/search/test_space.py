import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from stages.search.space import Hyperband, Parameter
from tests.search.sample import configuration

NUMERIC = {
    "uniform": ({"min": 1.0, "max": 3.0}, stats.uniform(1, 2)),
    "log_uniform": ({"min": -2.0, "max": 1.0}, stats.loguniform(np.exp(-2), np.e)),
    "log_uniform_values": ({"min": 0.001, "max": 10.0}, stats.loguniform(0.001, 10)),
    "inv_log_uniform": ({"min": -2.0, "max": 1.0}, stats.loguniform(1 / np.e, np.exp(2))),
    "inv_log_uniform_values": ({"min": 0.001, "max": 10.0}, stats.loguniform(0.001, 10)),
    "normal": ({"mu": 5.0, "sigma": 2.0}, stats.norm(5, 2)),
    "log_normal": ({"mu": 0.5, "sigma": 0.3}, stats.lognorm(0.3, scale=np.exp(0.5))),
    "beta": ({"a": 2.0, "b": 3.0}, stats.beta(2, 3)),
}
ROUNDED = ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta")


@pytest.mark.parametrize("name", NUMERIC)
def test_a_distribution_has_its_shape(name):
    keys, expected = NUMERIC[name]
    parameter = Parameter(distribution=name, **keys)
    quantiles = np.linspace(0.01, 0.99, 25)
    np.testing.assert_allclose([parameter.at(q) for q in quantiles], expected.ppf(quantiles))
    assert np.isfinite(parameter.extremes).all()
    assert parameter.choices is None


@pytest.mark.parametrize("name", ROUNDED)
def test_a_rounded_distribution_gives_multiples_of_q(name):
    keys, expected = NUMERIC[name]
    parameter = Parameter(distribution=f"q_{name}", q=0.25, **keys)
    for quantile in (0.05, 0.4, 0.93):
        value = parameter.at(quantile)
        assert value == pytest.approx(0.25 * round(value / 0.25))
        assert abs(value - expected.ppf(quantile)) <= 0.125 + 1e-9


def test_q_is_one_where_it_is_not_given_and_whole_numbers_stay_whole():
    value = Parameter(distribution="q_log_uniform_values", min=8, max=32).at(0.5)
    assert value == 16
    assert isinstance(value, int)
    assert isinstance(Parameter(distribution="q_log_uniform_values", min=8, max=32, q=4).at(0.3), int)


@given(st.floats(0, 1))
def test_int_uniform_reaches_both_ends_and_nothing_beyond(quantile):
    parameter = Parameter(min=3, max=6)
    assert parameter.kind == "int_uniform"
    assert parameter.at(quantile) in {3, 4, 5, 6}
    assert (parameter.at(0.0), parameter.at(1.0)) == (3, 6) == parameter.extremes


def test_values_with_probabilities():
    parameter = Parameter(
        distribution="categorical_w_probabilities", values=("a", "b", "c"), probabilities=(0.1, 0.6, 0.3)
    )
    drawn = [parameter.at(q) for q in np.linspace(0.0005, 0.9995, 1000)]
    assert [drawn.count(value) for value in "abc"] == [100, 600, 300]


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"value": 3}, "constant"),
        ({"values": (True, False)}, "categorical"),
        ({"min": 1, "max": 4}, "int_uniform"),
        ({"min": 0.0, "max": 4.0}, "uniform"),
    ],
)
def test_the_distribution_that_wandb_infers(keys, kind):
    assert Parameter(**keys).kind == kind


def test_what_a_grid_can_list():
    assert Parameter(value="x").choices == ("x",)
    assert Parameter(values=(1, 5)).choices == (1, 5)
    assert Parameter(min=2, max=4).choices == (2, 3, 4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "expected value, values, or min and max"),
        ({"min": 0, "max": 1.0}, "both whole numbers or both with a decimal point"),
        ({"distribution": "normal", "mu": 0.0}, "normal needs mu, sigma; found mu"),
        ({"distribution": "uniform", "min": 0.0, "max": 1.0, "q": 0.1}, "uniform needs max, min; found max, min, q"),
        ({"distribution": "uniform", "min": 2.0, "max": 1.0}, "expected min below max; found 2.0 and 1.0"),
        ({"distribution": "log_uniform_values", "min": 0.0, "max": 1.0}, "needs a min above 0; found 0.0"),
        ({"distribution": "int_uniform", "min": 0.5, "max": 1.0}, "needs whole numbers; found 0.5 and 1.0"),
        ({"distribution": "gaussian", "mu": 0.0}, "Input should be 'constant', 'categorical'"),
        ({"distribution": "categorical_w_probabilities", "values": (1, 2), "probabilities": (0.5, 0.6)}, "add up to 1"),
        ({"values": ()}, "at least 1 item"),
        ({"parameters": {"x": {"value": 1}}}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_mapped_is_refused_by_name(keys, message):
    with pytest.raises(ValidationError, match=message):
        Parameter.model_validate(keys)


@pytest.mark.parametrize(
    ("rate", "kind"),
    [
        ({"min": 0.0, "max": 1.0}, "uniform"),
        ({"distribution": "q_uniform", "min": 0.0, "max": 0.5, "q": 0.25}, "q_uniform"),
        (
            {"distribution": "categorical_w_probabilities", "values": [1, 2], "probabilities": [0.5, 0.5]},
            "categorical_w_probabilities",
        ),
    ],
)
def test_a_grid_needs_values(rate, kind):
    with pytest.raises(ValidationError, match=f"grid needs values, .* for rate; found distribution {kind}"):
        configuration("grid", size={"values": [1, 2]}, rate=rate)


def test_hyperband_by_first_epoch_or_by_brackets():
    assert Hyperband(type="hyperband", min_iter=3).first_look == 3
    assert Hyperband(type="hyperband", max_iter=27, s=2).first_look == 3
    assert Hyperband(type="hyperband", max_iter=27, s=2, eta=2).first_look == 6
    with pytest.raises(ValidationError, match="needs min_iter, or max_iter and s; found max_iter"):
        Hyperband(type="hyperband", max_iter=27)


def test_the_configuration_goes_to_wandb_as_it_was_given():
    parameters = {"size": {"values": [1, 2]}, "rate": {"distribution": "uniform", "min": 0.0, "max": 1.0}}
    assert configuration(**parameters).as_given()["parameters"] == parameters
    assert "early_terminate" not in configuration(**parameters).as_given()
