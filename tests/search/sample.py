"""A small W&B sweep configuration to search with."""

from stages.search.space import SweepConfiguration


def configuration(method="bayes", run_cap=6, early=None, **parameters):
    return SweepConfiguration.model_validate(
        {
            "program": "a.py",
            "command": ["python", "a.py"],
            "name": "x",
            "method": method,
            "metric": {"name": "score", "goal": "maximize"},
            "run_cap": run_cap,
            **({"early_terminate": early} if early else {}),
            "parameters": parameters or {"x": {"min": 0.0, "max": 1.0}, "kind": {"values": ["a", "b"]}},
        }
    )
