"""The typed, validated view of sweeps/<model>.yaml: what a search of hyperparameters searches."""

from pathlib import Path

from pydantic import ValidationError

from stages.config.params import NETWORKS, Fit, problems_of, read_checked
from stages.search.space import SweepConfiguration

SWEEPS = Path("sweeps")

METRICS = ("val_macro_f1", "val_accuracy", "val_f1_N", "val_f1_S", "val_f1_V", "val_f1_F")
"""Scores of a trial that a sweep can be for: of all training beats, each by the network that left out its fold."""


def load_sweep(model: str, folder: Path = SWEEPS) -> SweepConfiguration:
    """Read and check the sweep configuration of a kind of network.

    Raises
    ------
    ParamsError
        As :func:`stages.config.params.read_checked` does, and if a trial would be no valid section ``train.<model>``.
    """
    path = folder / f"{model}.yaml"
    configuration = read_checked(path, SweepConfiguration)
    if problem := _problem_of(configuration, NETWORKS[model]):
        raise problems_of(path, [problem])
    return configuration


def _problem_of(sweep: SweepConfiguration, network: type[Fit]) -> str | None:
    """Say why a trial of a sweep might be no valid section of train; None if all would be."""
    if sweep.metric.name not in METRICS:
        return f"metric.name: expected one of {', '.join(METRICS)}; found {sweep.metric.name}"
    missing, unknown = network.model_fields.keys() - sweep.parameters, sweep.parameters.keys() - network.model_fields
    if missing or unknown:
        return (
            f"parameters: expected every hyperparameter of train, `value` for one that is not searched; "
            f"missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    first = {name: parameter.extremes[0] for name, parameter in sweep.parameters.items()}
    for name, parameter in sweep.parameters.items():
        for value in parameter.extremes:
            try:
                network.model_validate(first | {name: value}, strict=False)
            except ValidationError as error:
                messages = [problem["msg"] for problem in error.errors() if problem["loc"] == (name,)]
                if messages:
                    return f"parameters.{name}: {messages[0]}; found {value!r}"
    return None
