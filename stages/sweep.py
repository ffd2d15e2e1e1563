"""Search the hyperparameters of one network by cross-validation on the training patients, with W&B or without.

``data/balanced/inter_patient/train/`` in; ``metrics/sweep/<model>.{json,csv}`` and figures out. With an API key the
search is a W&B sweep; without one Optuna runs the same configuration and each trial is logged offline.

The stage is ``search``. ``agent`` joins a W&B sweep from another machine, ``worker`` a search on this one, ``trial`` is
what `wandb agent` runs, and ``promote`` writes the best configuration into params.yaml.
"""

import argparse
import difflib
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stages.config import paths
from stages.config.params import MODELS, NETWORKS, PARAMS_FILE, Params, ParamsError, load_params
from stages.config.sweeps import load_sweep
from stages.ecg import folds
from stages.figures.learning import importance_figure, parallel_coordinates_figure, search_history_figure
from stages.figures.style import save_png
from stages.search.importance import axis_positions, importances
from stages.search.local import forget_finished, is_under_way, mark_finished, open_study, run_trials, trials_of
from stages.search.promoting import promote
from stages.search.space import SweepConfiguration
from stages.search.trials import NoTrialError, Report, State, Trial, summarise, tabulate
from stages.training.tracking import (
    SweepError,
    create_sweep,
    parameters_of,
    read_sweep,
    resolve_mode,
    run_agent,
    run_commanded_trial,
    tracked_run,
)

if TYPE_CHECKING:
    from stages.training.cross_validation import CrossValidation

PROTOCOL = "inter_patient"
CODE = (
    "training/cross_validation.py",
    "training/folds.py",
    "ecg/aami.py",
    "ecg/balancing.py",
    "ecg/beatset.py",
    "nets/adapting.py",
    "nets/building.py",
    "nets/fitting.py",
    "nets/parallel_folds.py",
    "scores/per_beat.py",
    "search/local.py",
    "search/space.py",
)
"""What a trial is made by: a search goes on only with the very code that began it."""

POLL_S = 10.0
"""Between two looks at the trials of other machines; W&B itself gives up those that were lost."""

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what.__doc__, description=what.__doc__)
        command.add_argument("--model", choices=MODELS, required=True)
        if name == "agent":
            command.add_argument("--sweep", required=True, help="its W&B id, or <project>/<id>")
    arguments = vars(parser.parse_args())
    try:
        COMMANDS[arguments.pop("command")](load_params(), **arguments)
    except (ParamsError, FileNotFoundError, NoTrialError, SweepError) as error:
        sys.exit(f"sweep: {error}")
    except KeyboardInterrupt:
        sys.exit("sweep: interrupted; run the same command again to go on with the trials that ended")


def search(params: Params, model: str) -> None:
    """Run the search, or go on with it, and report it: the DVC stage."""
    from stages.nets.fitting import machine

    objective = objective_of(params, model)
    configuration = load_sweep(model)
    forget_finished(storage_of(model), fingerprint(params, model))
    engine, sweep, trials = run_search(params, model, configuration, objective)
    title = f"{model} {folds.label(PROTOCOL, objective.training.about.synthetic)}: hyperparameter search"
    about = {"engine": engine, "sweep": sweep, "seed": params.sweep.seed, "machine": machine()}
    try:
        write_reports(model, title, configuration, trials, about)
    except NoTrialError:
        conclude(params, model)  # else the same failed trials would be reported again
        raise
    conclude(params, model)


def conclude(params: Params, model: str) -> None:
    """Let the next search begin afresh."""
    mark_finished(storage_of(model), fingerprint(params, model))
    note_of(model).unlink(missing_ok=True)


def worker(params: Params, model: str) -> None:
    """Join the local search that `search` began, as one more process, until it has all its trials."""
    objective = objective_of(params, model)
    if not storage_of(model).is_file():
        raise FileNotFoundError(f"{storage_of(model)} is missing; begin the search with `dvc repro sweep@{model}`")
    search_locally(params, model, load_sweep(model), objective)


def agent(params: Params, model: str, sweep: str) -> None:
    """Join a W&B sweep, until it wants no more trials."""
    if resolve_mode(params.tracking) != "online":
        raise SweepError("to join a W&B sweep takes an API key; set WANDB_API_KEY or run `wandb login`")
    whole = sweep if "/" in sweep else f"{params.tracking.project}/{sweep}"
    theirs, ours = parameters_of(whole), set(load_sweep(model).parameters)
    if theirs != ours:
        raise SweepError(
            f"W&B sweep {whole} is not one of the {model}: it chooses {', '.join(sorted(theirs))}; "
            f"expected {', '.join(sorted(ours))}"
        )
    run_agent(whole, objective_of(params, model), setting_of(params, model))


def trial(params: Params, model: str) -> None:
    """Run the one trial that `wandb agent` asks for."""
    run_commanded_trial(objective_of(params, model), setting_of(params, model))


def promote_best(params: Params, model: str) -> None:
    """Write the best configuration into params.yaml, and print what changed."""
    report = paths.METRICS / "sweep" / f"{model}.json"
    if not report.is_file():
        raise FileNotFoundError(f"{report} is missing; run `dvc repro sweep@{model}` to make it")
    found = json.loads(report.read_text(encoding="utf-8"))["best"]["config"]
    try:
        # W&B gives 24.0 where a whole number is wanted.
        best = NETWORKS[model].model_validate(found, strict=False).model_dump()
    except ValidationError as error:
        raise ParamsError(f"{report}: the best configuration is not one of train.{model}: {error}") from error
    before = PARAMS_FILE.read_text(encoding="utf-8")
    after = promote(before, ("train", model), best)
    unfinished = PARAMS_FILE.with_name(f".{PARAMS_FILE.name}.unfinished")
    unfinished.write_text(after, encoding="utf-8")
    try:
        load_params(unfinished)
        unfinished.replace(PARAMS_FILE)
    finally:
        unfinished.unlink(missing_ok=True)
    changes = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", n=0, lineterm="")
    print("\n".join(changes) or f"params.yaml: train.{model} is the best configuration already")


COMMANDS: dict[str, Callable[..., None]] = {
    "search": search,
    "worker": worker,
    "agent": agent,
    "trial": trial,
    "promote": promote_best,
}


def objective_of(params: Params, model: str) -> "CrossValidation":
    """Read the training beats and give what scores a trial."""
    # Here because it brings TensorFlow, which `promote` need not wait for.
    from stages.training.cross_validation import CrossValidation

    return CrossValidation(params, model)


def run_search(
    params: Params, model: str, configuration: SweepConfiguration, objective: "CrossValidation"
) -> tuple[str, str | None, list[Trial]]:
    """Search with W&B where it is online and can be reached, else here.

    Returns
    -------
    str
        The engine and its version.
    str or None
        The W&B sweep.
    list of Trial
    """
    begun_here = is_under_way(storage_of(model), fingerprint(params, model))
    if begun_here:
        log.info("going on with the search that was begun on this machine")
    elif resolve_mode(params.tracking) == "online":
        import wandb

        try:
            sweep = remembered_sweep(params, model, configuration)
        except (wandb.Error, OSError) as error:
            log.warning("W&B cannot be reached (%s); searching here, `wandb sync` uploads the trials", error)
            tracking = params.tracking.model_copy(update={"mode": "offline"})
            params = params.model_copy(update={"tracking": tracking})
        else:
            try:
                trials = search_online(sweep, configuration, objective, setting_of(params, model))
            except SweepError as error:
                raise SweepError(f"{error}; to begin another sweep instead, delete {note_of(model)}") from error
            return f"wandb {version('wandb')}", sweep, trials
    return f"optuna {version('optuna')}", None, search_locally(params, model, configuration, objective)


def search_online(
    sweep: str, configuration: SweepConfiguration, objective: "CrossValidation", about: dict[str, Any]
) -> list[Trial]:
    """Run trials of a W&B sweep beside other machines, and wait for the last of theirs.

    Raises
    ------
    SweepError
        If trials are missing, because the agent was stopped or the network lost.
    """
    run_agent(sweep, objective, about)
    while True:
        state, runs = read_sweep(sweep)
        running = sum(run["state"] == "running" for run in runs)
        if state in ("RUNNING", "PAUSED") and len(runs) - running < configuration.run_cap:
            raise SweepError(
                f"W&B sweep {sweep} is {state.lower()}, with {len(runs)} trials begun of {configuration.run_cap}; "
                "run the same command again to go on with it"
            )
        if not running:
            return [as_trial(run, configuration) for run in runs]
        log.info("waiting for %d trials on other machines", running)
        time.sleep(POLL_S)


def search_locally(
    params: Params, model: str, configuration: SweepConfiguration, objective: "CrossValidation"
) -> list[Trial]:
    """Run the configuration with Optuna; other processes may do so beside this one."""
    tracking = params.tracking.model_copy(update={"mode": resolve_mode(params.tracking)})
    about = setting_of(params, model)

    def watch(name: str, config: dict[str, Any]) -> AbstractContextManager[Report]:
        return tracked_run(tracking, f"{model} {name}", configuration.name, {**config, **about})

    storage = storage_of(model)
    study = open_study(storage, fingerprint(params, model), configuration)
    run_trials(storage, study, configuration, objective, watch, params.sweep.seed, objective.most_epochs(configuration))
    return trials_of(study)


def remembered_sweep(params: Params, model: str, configuration: SweepConfiguration) -> str:
    """Give the W&B sweep that an earlier, unfinished run of the stage made, or make one."""
    note, mark = note_of(model), fingerprint(params, model)
    if note.is_file():
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["fingerprint"] == mark:
            log.info("going on with W&B sweep %s", noted["sweep"])
            return noted["sweep"]
    sweep = create_sweep(params.tracking, configuration.as_given())
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"fingerprint": mark, "sweep": sweep}), encoding="utf-8")
    return sweep


def as_trial(run: dict[str, Any], configuration: SweepConfiguration) -> Trial:
    """Read a run of a W&B sweep as a trial."""
    summary = run["summary"]
    state: State = "complete" if run["state"] == "finished" else "interrupted"
    if "error" in summary:
        state = "failed"
    elif "stopped_early" in summary:
        state = "pruned"
    elif "interrupted" in summary:
        state = "interrupted"
    return Trial(
        name=run["name"],
        state=state,
        config={name: run["config"].get(name) for name in configuration.parameters},
        score=summary.get(configuration.metric.name),
        epochs=summary.get("epochs_run", 0),
        beats=summary.get("beats_drawn", 0),
        seconds=summary.get("seconds", 0.0),
        error=summary.get("error", ""),
    )


def write_reports(
    model: str, title: str, configuration: SweepConfiguration, trials: Sequence[Trial], about: dict[str, Any]
) -> None:
    """Write the table of trials, the best of them and the figures.

    Raises
    ------
    NoTrialError
        If no trial was completed; the table is there all the same.
    """
    folder = paths.METRICS / "sweep"
    folder.mkdir(parents=True, exist_ok=True)
    table = tabulate(trials)
    table.to_csv(folder / f"{model}.csv", index=False)
    metric, goal = configuration.metric.name, configuration.metric.goal
    report = {"title": f"{title} on training beats", **about, **summarise(trials, metric, goal)}
    (folder / f"{model}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")

    scored = [trial for trial in trials if trial.score is not None]
    positions, ticks = axis_positions(scored, configuration)
    named = metric.removeprefix("val_").replace("_", " ").replace("f1", "F1")
    title = f"{title}, {len(trials)} trials, {named} on DS1 (cross-validated)"
    drawn = {
        "history": search_history_figure(table, metric, goal, title),
        "parallel": parallel_coordinates_figure(tabulate(scored), positions, ticks, metric, goal, title),
        "importance": importance_figure(importances(scored, configuration, about["seed"]), title),
    }
    for name, figure in drawn.items():
        save_png(figure, folder / f"{model}_{name}.png")
    log.info("%s: best %s %.4f with %s", title, metric, report["best"][metric], report["best"]["config"])


def setting_of(params: Params, model: str) -> dict[str, Any]:
    """Describe what scores of trials must share to be compared; the configuration of each run has it."""
    fractions = {name: getattr(params.sweep, name) for name in ("fraction_of_beats", "fraction_of_epochs")}
    return {**fractions, "fingerprint": fingerprint(params, model)}


def fingerprint(params: Params, model: str) -> str:
    """Digest all that a trial depends on, so that a search goes on only with the trials of its own kind."""
    shared = params.sweep.model_dump_json(include={"seed", "fraction_of_beats", "fraction_of_epochs"})
    # All folds are scored, whatever the members of the ensemble.
    ensemble = params.train.ensemble(PROTOCOL).model_dump_json(exclude={"members", "refit"})
    described = [model, shared, load_sweep(model).as_given(), params.train.seed, params.train.focal_gamma]
    digest = hashlib.sha256(repr([*described, ensemble]).encode())
    data = sorted((paths.BALANCED / PROTOCOL / "train").glob("*"))
    code = [Path(__file__).parent / name for name in CODE]
    for path in [*data, *code]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def storage_of(model: str) -> Path:
    """Name the file in which a local search keeps its trials."""
    return paths.SEARCHES / f"{model}.sqlite3"


def note_of(model: str) -> Path:
    """Name the file that remembers the W&B sweep that is under way."""
    return paths.SEARCHES / f"{model}.json"


if __name__ == "__main__":
    main()
