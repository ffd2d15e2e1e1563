"""What dvc.yaml itself proves, the rooms of the code, and the directions of imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.config.code import NO_DEPENDENCY, code_of
from stages.config.params import MODELS, PROTOCOLS
from stages.reporting.provenance import PARAMETERS

DAG = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
COMMANDS = {"predict", "ablate"}
SCORING = {"evaluate", "compare", "export", "robustness", "detect", "external", "draw", "report"}
COMPUTING = set(DAG) - {"draw", "draw_searches", "report"}
MADE = ("outs", "metrics")


def entries(stage, key):
    """Paths under deps, outs or metrics, whatever their form; those of a matrix for each of its items."""
    named = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in DAG[stage].get(key, [])]
    return sorted({path for name in named for path in of_each_item(name, DAG[stage].get("matrix", {}))})


def of_each_item(path, matrix):
    paths = [path]
    for name, values in matrix.items():
        known = values if isinstance(values, list) else ["any"]
        paths = [one.replace(f"${{item.{name}}}", value) for one in paths for value in known]
    return paths


def made_by(stage):
    return {out for key in MADE for out in entries(stage, key)}


def upstream(stage):
    """All that a stage stands on, through every stage that makes a dependency of it or something inside one."""
    maker = {out: name for name in DAG for out in made_by(name)}
    found, waiting = set(), [stage]
    while waiting:
        for dep in entries(waiting.pop(), "deps"):
            if dep in found:
                continue
            found.add(dep)
            waiting += [name for out, name in maker.items() if out == dep or out.startswith(f"{dep}/")]
    return found


def test_no_training_stage_depends_on_the_test_fold():
    for stage in set(DAG) - SCORING:
        direct = entries(stage, "deps")
        assert not [dep for dep in direct if dep.rstrip("/").endswith("/test") or dep == "data/balanced"], stage
    assert any(dep.endswith("/test") for dep in entries("evaluate", "deps"))


def test_nothing_that_was_scored_flows_back_into_training():
    scored = {out for stage in SCORING for out in made_by(stage)}
    for stage in set(DAG) - SCORING:
        assert not upstream(stage) & scored, stage


def test_training_does_not_even_import_the_scoring_stage():
    for path in (*code_of(Path("stages/train.py")), *code_of(Path("stages/sweep.py"))):
        if path.suffix == ".py" and path.parts[1] in ("train.py", "sweep.py", "training"):
            constants = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            assert "test" not in constants, path


def test_a_rebuild_up_to_the_report_does_not_search():
    stands_on = upstream("report")
    assert not any(dep.startswith("metrics/sweep") or dep == "stages/sweep.py" for dep in stands_on)


def stages_for(stage):
    """The stages that a stage stands on, and itself."""
    stands_on = upstream(stage)
    inside = {parent.as_posix() for path in stands_on for parent in (Path(path), *Path(path).parents)}
    parents = {name for name in DAG if any(out.startswith(f"{dep}/") for out in made_by(name) for dep in stands_on)}
    return {stage, *parents, *(name for name in DAG if made_by(name) & inside)}


def test_the_rebuild_without_searches_that_the_readme_names_leaves_nothing_else_out():
    (targets,) = re.findall(r"\*\*`dvc repro (export [a-z ]+)`\*\*", Path("README.md").read_text())
    reached = set().union(*map(stages_for, targets.split()))
    assert set(DAG) - reached == {"sweep", "draw_searches", "external"}


def test_promoting_a_configuration_does_not_make_the_search_stale():
    assert not {f"train.{model}" for model in MODELS} & set(DAG["sweep"]["params"])


def test_the_report_shows_no_parameter_that_would_not_rebuild_it():
    assert set(PARAMETERS) == set(DAG["report"]["params"])


def test_every_stage_is_described_and_run_as_a_module():
    for name, stage in DAG.items():
        assert stage["desc"]
        assert stage["cmd"].startswith(f"python -m stages.{name}")


def test_the_top_level_of_the_code_is_what_is_run():
    modules = {path.stem for path in Path("stages").glob("*.py")} - {"__init__"}
    assert modules == set(DAG) | COMMANDS


def test_the_matrix_is_protocols_by_models():
    for name in ("train", "evaluate", "export"):
        assert DAG[name]["matrix"] == {"protocol": list(PROTOCOLS), "model": list(MODELS)}
    assert DAG["balance"]["matrix"] == {"protocol": list(PROTOCOLS)}
    assert DAG["sweep"]["matrix"] == {"model": list(MODELS)}


def test_scores_and_figures_are_in_git_and_data_and_models_in_the_cache():
    for name in DAG:
        for key in MADE:
            for entry in DAG[name].get(key, []):
                path = next(iter(entry)) if isinstance(entry, dict) else entry
                shown = path.startswith("metrics/") or Path(path).suffix in (".md", ".onnx")
                assert shown == (isinstance(entry, dict) and entry[path] == {"cache": False}), (name, path)


@pytest.mark.parametrize("name", DAG)
def test_a_stage_depends_on_exactly_the_code_that_it_runs_on(name):
    listed = [Path(dep) for dep in entries(name, "deps") if dep.startswith("stages/")]
    assert listed == sorted(code_of(Path(f"stages/{name}.py")))


@pytest.mark.parametrize("path", NO_DEPENDENCY)
def test_an_exception_from_the_code_of_a_stage_is_there(path):
    assert Path(path).is_file()


@pytest.mark.parametrize("name", sorted(COMPUTING))
def test_a_stage_that_computes_does_not_draw(name):
    for path in code_of(Path(f"stages/{name}.py")):
        assert path.parts[1] not in ("figures", "reporting"), path
        assert path.suffix != ".py" or "matplotlib" not in path.read_text(), path


def test_detection_depends_on_no_page_and_no_command():
    for name in ("detect", "external"):
        assert Path("stages/inference/classify.py") in code_of(Path(f"stages/{name}.py"))
        assert Path("stages/predict.py") not in code_of(Path(f"stages/{name}.py"))


def test_the_command_prints_the_code_of_a_stage_as_dvc_yaml_has_it():
    command = [sys.executable, "-m", "stages.config.code", "train"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed in Path("dvc.yaml").read_text()


def modules():
    return sorted(Path("stages").rglob("*.py"))


def imported(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(path):
    """Name the modules of ``stages`` that a file imports, not the names in them."""
    found = {module for module in imported(path) if module.startswith("stages.")}
    return {module for module in found if Path(f"{module.replace('.', '/')}.py").is_file()}


MAY_IMPORT = {
    "files": set(),
    "ecg": {"files"},
    "search": {"files"},
    "nets": {"ecg.aami", "files"},
    "scores": {"ecg.aami", "files"},
    "figures": {"ecg.aami", "files"},
    "readers": {"ecg", "files"},
    "config": {"ecg", "files", "search"},
    "training": {"config", "ecg", "files", "nets", "scores", "search"},
    "inference": {"config", "ecg", "files", "nets", "readers", "scores"},
    "reporting": {"config", "ecg", "figures", "files", "inference", "readers", "scores"},
}
"""Rooms of ``stages/``, and the others that each may import: a room, or one module of it."""

NOUNS = ("ecg", "search", "nets", "scores", "figures", "readers")
"""Rooms that are given arrays and typed values and read nothing else."""


@pytest.mark.parametrize("path", [path for path in modules() if len(path.parts) > 2], ids=str)
def test_imports_point_one_way(path):
    room = path.parts[1]
    known = {room, *MAY_IMPORT[room]}
    for module in imported_modules(path):
        name = module.removeprefix("stages.")
        assert name == room or any(name == one or name.startswith(f"{one}.") for one in known), (path, module)


@pytest.mark.parametrize("path", sorted(Path("stages").glob("*.py")), ids=str)
def test_no_stage_imports_another(path):
    stages = {f"stages.{name}" for name in DAG}
    assert not imported_modules(path) & stages


@pytest.mark.parametrize("path", [path for path in modules() if path.parts[1] in NOUNS], ids=str)
def test_nouns_read_no_parameters_no_environment_and_no_working_directory(path):
    source = path.read_text()
    for forbidden in ('params.yaml"', "os.environ", "getenv", "Path.cwd", "load_params"):
        assert forbidden not in source, forbidden


@pytest.mark.parametrize("path", modules(), ids=str)
def test_no_pickle(path):
    source = path.read_text()
    assert "allow_pickle=True" not in source
    assert "pickle" not in set(imported(path))
