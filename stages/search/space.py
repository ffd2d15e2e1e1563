"""A W&B sweep configuration, checked, and what each of its distributions means.

The vocabulary is that of https://docs.wandb.ai/models/sweeps/sweep-config-keys. Every numeric distribution is used by
its quantile function, so a search moves in the unit cube, where each has its own shape.
"""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import stats

Scalar = bool | int | float | str
Positive = Annotated[float, Field(gt=0)]
Distribution = Literal[
    "constant",
    "categorical",
    "categorical_w_probabilities",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "q_log_uniform",
    "log_uniform_values",
    "q_log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
]
RANGE, BELL, BETA = {"min", "max"}, {"mu", "sigma"}, {"a", "b"}
NEEDED: dict[str, set[str]] = {
    "constant": {"value"},
    "categorical": {"values"},
    "categorical_w_probabilities": {"values", "probabilities"},
    "normal": BELL,
    "log_normal": BELL,
    "beta": BETA,
}
"""Keys of a distribution. Those not listed have ``min`` and ``max``; those whose name begins with q_ may have ``q``."""

TAIL = 1e-3
"""Share of an unbounded distribution that is cut off at either end, so that every value is finite."""


class Described(BaseModel):
    """A mapping that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Parameter(Described):
    """How one hyperparameter is chosen."""

    distribution: Distribution | None = None
    value: Scalar | None = None
    values: Annotated[tuple[Scalar, ...], Field(min_length=1, strict=False)] | None = None
    probabilities: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(strict=False)] | None = None
    min: int | float | None = None
    max: int | float | None = None
    mu: float | None = None
    sigma: Positive | None = None
    a: Positive | None = None
    b: Positive | None = None
    q: Annotated[int | float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _has_what_its_distribution_needs(self) -> "Parameter":
        given = self.model_fields_set - {"distribution"}
        needed = NEEDED.get(self.kind.removeprefix("q_"), RANGE)
        allowed = needed | ({"q"} if self.kind.startswith("q_") else set())
        if not needed <= given <= allowed:
            raise ValueError(f"distribution {self.kind} needs {_listed(needed)}; found {_listed(given)}")
        if needed == RANGE:
            self._check_range()
        if self.probabilities is not None:
            self._check_probabilities()
        return self

    def _check_range(self) -> None:
        low, high = self._given("min", "max")
        if not low < high:
            raise ValueError(f"expected min below max; found {low} and {high}")
        if self.kind.endswith("log_uniform_values") and low <= 0:
            raise ValueError(f"distribution {self.kind} needs a min above 0; found {low}")
        if self.kind == "int_uniform" and not (isinstance(low, int) and isinstance(high, int)):
            raise ValueError(f"distribution int_uniform needs whole numbers; found {low} and {high}")

    def _check_probabilities(self) -> None:
        given, values = self.probabilities or (), self.values or ()
        if len(given) != len(values) or not np.isclose(sum(given), 1):
            raise ValueError(f"expected {len(values)} probabilities that add up to 1; found {list(given)}")

    @property
    def kind(self) -> str:
        """Name of the distribution; where none is given W&B infers it from the other keys."""
        if self.distribution:
            return self.distribution
        if self.value is not None:
            return "constant"
        if self.values is not None:
            return "categorical"
        types = {type(self.min), type(self.max)}
        if types == {int}:
            return "int_uniform"
        if types == {float}:
            return "uniform"
        raise ValueError("expected value, values, or min and max, both whole numbers or both with a decimal point")

    @property
    def listed(self) -> bool:
        """Whether the values are listed one by one."""
        return self.values is not None

    @property
    def choices(self) -> tuple[Scalar, ...] | None:
        """All the values where a grid can list them. None for other distributions.

        A grid of W&B leaves the maximum of q_uniform out and refuses values with probabilities, so neither is listed.
        """
        if self.kind == "constant":
            return self._given("value")
        if self.kind == "categorical":
            return self.values
        if self.kind == "int_uniform":
            low, high = self._given("min", "max")
            return tuple(range(low, high + 1))
        return None

    @property
    def extremes(self) -> tuple[Scalar, ...]:
        """The values that must be valid for all others to be so: each that is listed, else the lowest and highest."""
        if self.values is not None:
            return self.values
        if self.kind == "constant":
            return self._given("value")
        return self.at(0.0), self.at(1.0)

    def at(self, quantile: float) -> Scalar:
        """Give the value below which the share ``quantile`` (0 to 1) of the distribution lies."""
        if self.kind == "constant":
            return self._given("value")[0]
        if self.values is not None:
            cumulative = np.cumsum(self.probabilities or np.full(len(self.values), 1 / len(self.values)))
            return self.values[min(int(np.searchsorted(cumulative, quantile)), len(self.values) - 1)]
        if self.kind == "int_uniform":
            low, high = self._given("min", "max")
            return min(low + int(quantile * (high - low + 1)), high)
        shape = self._continuous()
        if not np.isfinite([*shape.support()]).all():
            quantile = float(np.clip(quantile, TAIL, 1 - TAIL))
        return self._rounded(float(shape.ppf(quantile)))

    def _rounded(self, value: float) -> int | float:
        if not self.kind.startswith("q_"):
            return value
        step = 1 if self.q is None else self.q
        rounded = round(value / step) * step
        return round(rounded, 12) if isinstance(step, float) else int(rounded)

    def _continuous(self) -> Any:
        name = self.kind.removeprefix("q_")
        if name == "beta":
            return stats.beta(*self._given("a", "b"))
        if name.endswith("normal"):
            mu, sigma = self._given("mu", "sigma")
            return stats.norm(mu, sigma) if name == "normal" else stats.lognorm(sigma, scale=np.exp(mu))
        low, high = self._given("min", "max")
        if name == "uniform":
            return stats.uniform(low, high - low)
        if name == "log_uniform":
            return stats.loguniform(np.exp(low), np.exp(high))
        if name == "inv_log_uniform":
            return stats.loguniform(np.exp(-high), np.exp(-low))
        return stats.loguniform(low, high)

    def _given(self, *keys: str) -> tuple[Any, ...]:
        return tuple(getattr(self, key) for key in keys)


class Metric(Described):
    """The score that a search is for."""

    name: str
    goal: Literal["maximize", "minimize"]


class Hyperband(Described):
    """When a trial is ended early: given ``min_iter``, or ``max_iter`` and the number of brackets ``s``.

    Here a trial is compared by its score number ``min_iter``, as soon as that is logged. The engine that W&B published
    (https://github.com/wandb/sweeps) counts from zero: it compares by score number ``min_iter + 1`` when that is there,
    so online a trial runs an epoch longer before it can be ended.
    """

    type: Literal["hyperband"]
    min_iter: Annotated[int, Field(ge=1)] | None = None
    max_iter: Annotated[int, Field(ge=1)] | None = None
    s: Annotated[int, Field(ge=1)] | None = None
    eta: Annotated[int, Field(ge=2)] = 3

    @model_validator(mode="after")
    def _min_iter_or_max_iter_and_s(self) -> "Hyperband":
        given = self.model_fields_set - {"type", "eta"}
        if given not in ({"min_iter"}, {"max_iter", "s"}):
            raise ValueError(f"hyperband needs min_iter, or max_iter and s; found {_listed(given)}")
        return self

    @property
    def first_look(self) -> int:
        """Logged scores after which a trial can be ended for the first time."""
        return self.min_iter or max(1, (self.max_iter or 1) // self.eta ** (self.s or 1))


class SweepConfiguration(Described):
    """A W&B sweep configuration, as ``wandb sweep`` takes it."""

    program: str
    command: Annotated[tuple[str, ...], Field(strict=False)]
    name: str
    method: Literal["bayes", "random", "grid"]
    metric: Metric
    run_cap: Annotated[int, Field(ge=1, le=10_000)]
    early_terminate: Hyperband | None = None
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]

    @model_validator(mode="after")
    def _a_grid_can_be_listed(self) -> "SweepConfiguration":
        if self.method == "grid":
            for name, parameter in self.parameters.items():
                if parameter.choices is None:
                    raise ValueError(
                        f"method grid needs values, or whole numbers from min to max, for {name}; "
                        f"found distribution {parameter.kind}"
                    )
        return self

    def as_given(self) -> dict[str, Any]:
        """Give the configuration as plain lists and mappings, for W&B."""
        return self.model_dump(mode="json", exclude_unset=True)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
