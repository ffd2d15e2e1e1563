"""Search the hyperparameters of one network by cross-validation on the training patients, with W&B or without.

``data/balanced/inter_patient/train/`` and ``sweeps/<model>.yaml`` in; ``metrics/sweep/<model>.json`` and the folder of
that name out. With an API key the search is a W&B sweep; without one Optuna runs the same configuration and each trial
is logged offline.

The stage is ``search``. ``agent`` joins a W&B sweep from another machine, ``worker`` a search on this one, ``trial`` is
what `wandb agent` runs, and ``promote`` writes the best configuration into params.yaml.
"""

import difflib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError

from stages.config import paths
from stages.config.params import DESIGN_PROTOCOL, MODELS, NETWORKS, PARAMS_FILE, Params, ParamsError, load_params
from stages.config.runner import ending_with_a_message, parser_of
from stages.ecg import folds
from stages.files.writing import read_json, replacing, write_json
from stages.search.importance import axis_positions, importances
from stages.search.promoting import promote, rounded
from stages.search.space import SweepConfiguration
from stages.search.trials import NoTrialError, Trial, summarise_trials, tabulate
from stages.training.searches import Search, run_search, search_locally, search_of
from stages.training.tracking import SweepError, parameters_of, resolve_mode, run_agent, run_commanded_trial

if TYPE_CHECKING:
    from stages.training.cross_validation import CrossValidation

log = logging.getLogger(__name__)


def main() -> None:
    """Run the command that the command line names."""
    parser = parser_of(search)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.add_argument("--model", choices=MODELS, required=True)
        if run is agent:
            command.add_argument("--sweep", required=True, help="its W&B id, or <project>/<id>")
    arguments = vars(parser.parse_args())
    with ending_with_a_message("sweep", (NoTrialError, SweepError)):
        COMMANDS[arguments.pop("command")](load_params(), **arguments)


def search(params: Params, model: str) -> None:
    """Run the search, or go on with it, and report it: the DVC stage."""
    from stages.nets.fitting import machine

    begun = search_of(params, model)
    objective = objective_of(begun)
    begun.forget_reported()
    engine, sweep, trials = run_search(begun, objective)
    title = f"{model} {folds.label(DESIGN_PROTOCOL, objective.training.about.synthetic)}: hyperparameter search"
    about = {"engine": engine, "sweep": sweep, "seed": params.sweep.seed, "machine": machine()}
    try:
        write_reports(begun, title, trials, about)
    except NoTrialError:
        begun.conclude()  # else the same failed trials would be reported again
        raise
    begun.conclude()


def worker(params: Params, model: str) -> None:
    """Join the local search that `search` began, as one more process, until it has all its trials."""
    joined = search_of(params, model)
    objective = objective_of(joined)
    if not joined.storage.is_file():
        raise FileNotFoundError(f"{joined.storage} is missing; begin the search with `dvc repro sweep@{model}`")
    search_locally(joined, objective)


def agent(params: Params, model: str, sweep: str) -> None:
    """Join a W&B sweep, until it wants no more trials."""
    if resolve_mode(params.tracking) != "online":
        raise SweepError("to join a W&B sweep takes an API key; set WANDB_API_KEY or run `wandb login`")
    joined = search_of(params, model)
    path = sweep if "/" in sweep else f"{params.tracking.project}/{sweep}"
    chosen, expected = parameters_of(path), set(joined.configuration.parameters)
    if chosen != expected:
        raise SweepError(
            f"W&B sweep {path} is not one of the {model}: it chooses {', '.join(sorted(chosen))}; "
            f"expected {', '.join(sorted(expected))}"
        )
    run_agent(path, objective_of(joined), joined.setting)


def trial(params: Params, model: str) -> None:
    """Run the one trial that `wandb agent` asks for."""
    joined = search_of(params, model)
    run_commanded_trial(objective_of(joined), joined.setting)


def promote_best(params: Params, model: str) -> None:
    """Write the best configuration, its numbers rounded to three digits, into params.yaml, and print what changed."""
    report = paths.METRICS / "sweep" / model / "search.json"
    if not report.is_file():
        raise FileNotFoundError(f"{report} is missing; run `dvc repro sweep@{model}` to make it")
    try:
        # W&B gives 24.0 where a whole number is wanted.
        best = NETWORKS[model].model_validate(read_json(report)["best_config"], strict=False).model_dump()
    except ValidationError as error:
        raise ParamsError(f"{report}: the best configuration is not one of train.{model}: {error}") from error
    before = PARAMS_FILE.read_text(encoding="utf-8")
    after = promote(before, ("train", model), rounded(best))
    with replacing(PARAMS_FILE) as unfinished:
        unfinished.write_text(after, encoding="utf-8")
        load_params(unfinished)
    changes = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", n=0, lineterm="")
    print("\n".join(changes) or f"params.yaml: train.{model} is the best configuration already")


COMMANDS: dict[str, Callable[..., None]] = {
    "search": search,
    "worker": worker,
    "agent": agent,
    "trial": trial,
    "promote": promote_best,
}


def objective_of(search: Search) -> "CrossValidation":
    """Read the training beats and give what scores a trial."""
    # Here because it brings TensorFlow, which `promote` need not wait for.
    from stages.training.cross_validation import CrossValidation

    return CrossValidation(search.params, search.model)


def write_reports(search: Search, title: str, trials: Sequence[Trial], about: dict[str, Any]) -> None:
    """Write the table of trials, the best of them, and what explains their scores.

    Raises
    ------
    NoTrialError
        If no trial was completed; the table is there all the same.
    """
    folder, metric = paths.METRICS / "sweep" / search.model, search.configuration.metric
    folder.mkdir(parents=True, exist_ok=True)
    tabulate(trials).to_csv(folder / "trials.csv", index=False)
    summary = summarise_trials(trials, metric.goal)
    described = {"title": title, "metric": metric.name, "goal": metric.goal}
    write_json(folder / "search.json", {**described, **about, **summary})
    for name, table in explanations(trials, search.configuration, about["seed"]).items():
        table.round(6).to_csv(folder / f"{name}.csv", index=False)
    headline = {"best_score": round(summary["best_score"], 6), "trials_complete": summary["trials_complete"]}
    write_json(folder.with_name(f"{folder.name}.json"), headline)
    chosen = ", ".join(f"{name} {value}" for name, value in rounded(summary["best_config"]).items())
    log.info("%s: best %s %.4f with %s", title, metric.name, summary["best_score"], chosen)


def explanations(trials: Sequence[Trial], configuration: SweepConfiguration, seed: int) -> dict[str, pd.DataFrame]:
    """Tabulate what explains the scores of trials; those without a score are left out.

    Returns
    -------
    dict of DataFrame
        ``positions``: a row a trial, with ``trial`` and where the value of each hyperparameter lies on its axis;
        ``ticks`` of these axes, with ``hyperparameter``, ``position`` and ``label``; ``importances``, with
        ``hyperparameter`` and ``importance``.
    """
    scored = [trial for trial in trials if trial.score is not None]
    positions, ticks = axis_positions(scored, configuration)
    positions.insert(0, "trial", [trial.name for trial in scored])
    labels = [(name, position, label) for name, of_axis in ticks.items() for position, label in of_axis]
    shares = importances(scored, configuration, seed)
    return {
        "positions": positions,
        "ticks": pd.DataFrame(labels, columns=["hyperparameter", "position", "label"]),
        "importances": pd.DataFrame(shares.items(), columns=["hyperparameter", "importance"]),
    }


if __name__ == "__main__":
    main()
