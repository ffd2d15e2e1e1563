"""Cross-validate the design of params.yaml on the patients of DS1, and what one changed idea makes of it.

``ablation.yaml`` says which ideas; ``metrics/ablation.csv`` and ``metrics/ablation.png`` out. Every run is a DVC
experiment on ``train@inter_patient-<model>``, so `dvc exp show` lists them, and a run that ended is not run again while
the code and the parameters that it reads stay as they are. DS2 is nowhere near.
"""

import hashlib
import json
import operator
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
import yaml
from dvc.exceptions import DvcException
from tqdm import tqdm

from stages.config import paths
from stages.config.ablation import Ablation, load_ablation
from stages.config.code import code_of, digest
from stages.config.params import DESIGN_PROTOCOL, MODELS, PARAMS_FILE
from stages.config.runner import ending_with_a_message, parser_of
from stages.figures.learning import ablation_figure
from stages.figures.style import save_png

COMMITTED = "as committed"
DVC_FILE = Path("dvc.yaml")
STAGES = ("download", "extract", "balance", "train")
"""Up to the fit of a network."""

SCORES = ("macro_f1_nsvf", "accuracy", "f1_N", "f1_S", "f1_V", "f1_F")


class AblationError(RuntimeError):
    """An experiment failed; the message names it and shows what DVC printed."""


@dataclass(frozen=True)
class Run:
    """One experiment: a network, a changed idea, what is set in every run, and a seed."""

    model: str
    label: str
    verdict: str
    changes: dict[str, Any]
    everywhere: dict[str, Any]
    seed: int

    @property
    def overrides(self) -> tuple[str, ...]:
        """The changes of the idea, as DVC takes them."""
        return tuple(f"{key}={written(value)}" for key, value in self.changes.items())

    @property
    def settings(self) -> tuple[str, ...]:
        """All that differs from params.yaml, as DVC takes it."""
        changes = {**self.everywhere, **self.changes, "train.seed": self.seed}
        return tuple(f"{key}={written(value)}" for key, value in changes.items())

    def name(self, pipeline: str) -> str:
        """Name the experiment, anew for each version of what it reads, see :func:`pipeline_of`."""
        version = hashlib.sha256((pipeline + repr(self.settings)).encode()).hexdigest()
        return f"{self.model}-{re.sub(r'[^a-z0-9]+', '-', self.label.lower())}-{self.seed}-{version[:6]}"


def main() -> None:
    """Run the ablation with the arguments of the command line."""
    parser = parser_of(ablate)
    parser.add_argument("--model", choices=MODELS, action="append", help="only this network")
    arguments = parser.parse_args()
    with ending_with_a_message("ablate", (AblationError,)):
        ablate(load_ablation(), arguments.model or MODELS)


def ablate(plan: Ablation, models: Sequence[str]) -> None:
    """Run all experiments, one after the other, and write the table and the figure."""
    runs = [run for run in planned(plan) if run.model in models]
    scored = [
        {**row_of(run), **experiment_scores(run)} for run in tqdm(runs, desc="ablate", unit="experiment", disable=None)
    ]
    table = mean_over_seeds(pd.DataFrame(scored))
    table.round(6).to_csv(paths.METRICS / "ablation.csv", index=False)
    save_png(ablation_figure(table, "Ideas kept and dropped, cross-validated on DS1"), paths.METRICS / "ablation.png")


def planned(plan: Ablation) -> Iterator[Run]:
    """List the experiments: each network as committed, then each idea that is meant for it."""
    for model in MODELS:
        for seed in plan.seeds:
            yield Run(model, COMMITTED, "kept", {}, plan.everywhere, seed)
        for idea in plan.ideas:
            for seed in plan.seeds:
                if model in idea.models:
                    yield Run(model, idea.label, idea.verdict, idea.changes, plan.everywhere, seed)


def written(value: Any) -> str:
    """Write a value as `dvc exp run -S` reads it."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def row_of(run: Run) -> dict[str, Any]:
    """Describe a run in the columns of the table."""
    return {"model": run.model, "idea": run.label, "verdict": run.verdict, "changes": " ".join(run.overrides)}


def experiment_scores(run: Run) -> dict[str, float]:
    """Run an experiment, unless it was run already, and give its cross-validated scores.

    Raises
    ------
    AblationError
        If it fails.
    """
    name = run.name(pipeline_of(run.model))
    report = (paths.METRICS / "training" / DESIGN_PROTOCOL / run.model / "cross_validation.json").as_posix()
    try:
        text = dvc.api.read(report, rev=name)
    except DvcException:
        experiment(name, run)
        text = dvc.api.read(report, rev=name)
    scores = json.loads(text)
    return {score: scores[score] for score in SCORES}


def pipeline_of(model: str) -> str:
    """Digest the code and the parameters that the stages up to the fit of a network read, as they are now.

    Comments, docstrings and parameters of other stages leave it as it is.
    """
    files = sorted({file for stage in STAGES for file in code_of(Path("stages") / f"{stage}.py")})
    params = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    values = {key: reduce(operator.getitem, key.split("."), params) for key in parameters_read(model)}
    return digest(files) + json.dumps(values)


def parameters_read(model: str) -> list[str]:
    """List the keys of params.yaml that the stages up to the fit of a network read, as dvc.yaml has them."""
    stages = yaml.safe_load(DVC_FILE.read_text(encoding="utf-8"))["stages"]
    item = {"${item.protocol}": DESIGN_PROTOCOL, "${item.model}": model}
    keys = {key for stage in STAGES for key in stages[stage]["params"]}
    for placeholder, value in item.items():
        keys = {key.replace(placeholder, value) for key in keys}
    return sorted(keys)


def experiment(name: str, run: Run) -> None:
    """Run a DVC experiment in a folder of its own, so that the working tree stays as it is."""
    overrides = [part for setting in run.settings for part in ("-S", setting)]
    target = f"train@{DESIGN_PROTOCOL}-{run.model}"
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *overrides, target],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AblationError(f"experiment {name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def mean_over_seeds(scored: pd.DataFrame) -> pd.DataFrame:
    """Give mean and standard deviation over the seeds, in the order of the plan.

    Parameters
    ----------
    scored : DataFrame, one row a run
        ``model``, ``idea``, ``verdict``, ``changes`` and the scores.

    Returns
    -------
    DataFrame, one row a network and idea
        ``seeds``, and of each score the mean, the sample standard deviation (``_sd``) and, for the macro F1, the
        difference of the mean from that of the network as committed (``_change``).
    """
    groups = scored.groupby(["model", "idea", "verdict", "changes"], sort=False)
    means, deviations = groups[list(SCORES)].mean(), groups[list(SCORES)].std().add_suffix("_sd")
    table = pd.concat([groups.size().rename("seeds"), means, deviations], axis=1)
    table = table[["seeds", *(column for score in SCORES for column in (score, f"{score}_sd"))]].reset_index()
    committed = table[table["idea"] == COMMITTED].set_index("model")["macro_f1_nsvf"]
    change = table["macro_f1_nsvf"] - table["model"].map(committed)
    table.insert(list(table).index("macro_f1_nsvf_sd") + 1, "macro_f1_nsvf_change", change)
    return table


if __name__ == "__main__":
    main()
