"""Cross-validate the design of params.yaml on the patients of DS1, and what one changed idea makes of it.

Every run is a DVC experiment on ``train@inter_patient-<model>``, so `dvc exp show` lists them, and a run that ended is
not run again while the code and the parameters that it reads stay as they are. ``metrics/ablation.csv`` and
``metrics/ablation.png`` out. DS2 is nowhere near.
"""

import argparse
import hashlib
import json
import logging
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
from stages.config.params import MODELS, PARAMS_FILE, ParamsError
from stages.figures.learning import ablation_figure
from stages.figures.style import save_png

PROTOCOL = "inter_patient"
COMMITTED = "as committed"
LOCK_FILE = Path("dvc.lock")
CODE = "stages/"
SCORES = ("macro_f1_nsvf", "accuracy", "f1_N", "f1_S", "f1_V", "f1_F")

log = logging.getLogger(__name__)


class AblationError(RuntimeError):
    """An experiment failed; the message names it and shows what DVC said."""


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

    def name(self, pipeline: bytes) -> str:
        """Name the experiment, anew for each version of what it reads, see :func:`pipeline_of`."""
        digest = hashlib.sha256(pipeline + repr(self.settings).encode()).hexdigest()
        return f"{self.model}-{re.sub(r'[^a-z0-9]+', '-', self.label.lower())}-{self.seed}-{digest[:6]}"


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, action="append", help="only this network")
    arguments = parser.parse_args()
    try:
        ablate(load_ablation(), arguments.model or MODELS)
    except (ParamsError, AblationError) as error:
        sys.exit(f"ablate: {error}")


def ablate(settings: Ablation, models: Sequence[str]) -> None:
    """Run all experiments, one after the other, and write the table and the figure."""
    runs = [run for run in planned(settings) if run.model in models]
    scored = [
        {**described(run), **scores_of(run)} for run in tqdm(runs, desc="ablate", unit="experiment", disable=None)
    ]
    table = summarise(pd.DataFrame(scored))
    table.round(6).to_csv(paths.METRICS / "ablation.csv", index=False)
    save_png(ablation_figure(table, "Ideas kept and dropped, cross-validated on DS1"), paths.METRICS / "ablation.png")


def planned(settings: Ablation) -> Iterator[Run]:
    """List the experiments: each network as committed, then each idea that is meant for it."""
    for model in MODELS:
        for seed in settings.seeds:
            yield Run(model, COMMITTED, "kept", {}, settings.everywhere, seed)
        for idea in settings.ideas:
            for seed in settings.seeds:
                if model in idea.models:
                    yield Run(model, idea.label, idea.verdict, idea.changes, settings.everywhere, seed)


def written(value: Any) -> str:
    """Write a value as `dvc exp run -S` reads it."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def described(run: Run) -> dict[str, Any]:
    return {"model": run.model, "idea": run.label, "verdict": run.verdict, "changes": " ".join(run.overrides)}


def scores_of(run: Run) -> dict[str, float]:
    """Run an experiment, unless it was run already, and give its cross-validated scores.

    Raises
    ------
    AblationError
        If it fails.
    """
    name = run.name(pipeline_of(run.model))
    report = (paths.METRICS / "training" / PROTOCOL / run.model / "cross_validation.json").as_posix()
    try:
        text = dvc.api.read(report, rev=name)
    except DvcException:
        experiment(name, run)
        text = dvc.api.read(report, rev=name)
    scores = json.loads(text)
    return {score: scores[score] for score in SCORES}


def pipeline_of(model: str) -> bytes:
    """Join the code and the parameters that the stages up to the fit of a network read, as they are now.

    Raises
    ------
    AblationError
        If ``dvc.lock`` does not have these stages, so that nobody knows what they read.
    """
    locked = yaml.safe_load(LOCK_FILE.read_text(encoding="utf-8"))["stages"] if LOCK_FILE.is_file() else {}
    names = ("download", "extract", f"balance@{PROTOCOL}", f"train@{PROTOCOL}-{model}")
    if missing := [name for name in names if name not in locked]:
        raise AblationError(f"{LOCK_FILE} has no {', '.join(missing)}; run `dvc repro {names[-1]}` first")
    code = {Path(read["path"]) for name in names for read in locked[name]["deps"] if read["path"].startswith(CODE)}
    files = sorted(file for path in code for file in (path, *path.rglob("*")) if file.is_file())
    params = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
    keys = sorted({key for name in names for key in locked[name]["params"][PARAMS_FILE.name]})
    values = {key: reduce(operator.getitem, key.split("."), params) for key in keys}
    return b"".join([*(file.read_bytes() for file in files), json.dumps(values).encode()])


def experiment(name: str, run: Run) -> None:
    """Run a DVC experiment in a folder of its own, so that the working tree stays as it is."""
    overrides = [part for setting in run.settings for part in ("-S", setting)]
    target = f"train@{PROTOCOL}-{run.model}"
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *overrides, target],
        env={**os.environ, "PATH": beside},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AblationError(f"experiment {name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def summarise(scored: pd.DataFrame) -> pd.DataFrame:
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
