"""What of a search explains its scores: where values lie on their axes, and how much each hyperparameter matters."""

import warnings
from collections.abc import Sequence

import numpy as np
import optuna
import pandas as pd

from stages.search.space import Parameter, SweepConfiguration
from stages.search.trials import Trial


def axis_positions(
    trials: Sequence[Trial], configuration: SweepConfiguration
) -> tuple[pd.DataFrame, dict[str, list[tuple[float, str]]]]:
    """Place the values of the hyperparameters that were searched on axes from 0 to 1.

    Listed values are evenly spaced, in their order; numbers are on the axis of their distribution: a logarithm for
    those whose distribution has one.

    Returns
    -------
    DataFrame, one row a trial and one column a hyperparameter
    dict
        For each hyperparameter positions and labels of ticks.
    """
    columns, ticks = {}, {}
    for name, parameter in configuration.parameters.items():
        values = [trial.config[name] for trial in trials]
        if parameter.kind == "constant":
            continue
        if parameter.listed:
            last = max(len(parameter.extremes) - 1, 1)
            places = {value: number / last for number, value in enumerate(parameter.extremes)}
            columns[name] = [places[value] for value in values]
            ticks[name] = [(place, str(value)) for value, place in places.items()]
        else:
            low, high = (float(value) for value in parameter.extremes)
            columns[name] = [_between(float(value), low, high, parameter) for value in values]
            ticks[name] = [(0.0, f"{low:g}"), (1.0, f"{high:g}")]
    return pd.DataFrame(columns, index=range(len(trials))), ticks


def importances(trials: Sequence[Trial], configuration: SweepConfiguration, seed: int) -> dict[str, float]:
    """Estimate how much of the variance of the last score each hyperparameter explains.

    Functional ANOVA over a random forest (Hutter, Hoos & Leyton-Brown, "An efficient approach for assessing
    hyperparameter importance", ICML 2014) from Optuna. Trials that were ended early count with their last score.

    Parameters
    ----------
    trials : sequence of Trial
        With a score.
    configuration : SweepConfiguration
    seed : int
        Of the forest.

    Returns
    -------
    dict
        From hyperparameter to share; zero for all where the scores do not differ, empty where there are fewer than
        two trials.
    """
    positions, _ = axis_positions(trials, configuration)
    if len(trials) < 2 or positions.empty:
        return {}
    if len({trial.score for trial in trials}) == 1:
        return {str(name): 0.0 for name in positions.columns}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in positions.columns
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction=configuration.metric.goal)
        for trial, (_, row) in zip(trials, positions.iterrows(), strict=True):
            params = {str(name): float(np.clip(place, 0, 1)) for name, place in row.items()}
            study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=trial.score))
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _between(value: float, low: float, high: float, parameter: Parameter) -> float:
    if high == low:
        return 0.5
    if "log" in parameter.kind:
        # Rounding to a multiple of q can give a zero, which has no logarithm.
        least = (parameter.q or 1) / 2 if parameter.kind.startswith("q_") else 0.0
        value, low, high = (float(np.log(max(number, least))) for number in (value, low, high))
    return (value - low) / (high - low)
