"""What dvc.yaml itself proves, and the directions of imports."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from stages.config.params import MODELS, PROTOCOLS
from stages.reporting.provenance import PARAMETERS

DAG = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
SCORING = {"evaluate", "compare", "export", "robustness", "detect", "external"}


def entries(stage, key):
    """Paths under deps, outs, metrics or plots, whatever their form; those of a matrix for each of its items."""
    named = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in DAG[stage].get(key, [])]
    return sorted({path for name in named for path in of_each_item(name, DAG[stage].get("matrix", {}))})


def of_each_item(path, matrix):
    paths = [path]
    for name, values in matrix.items():
        known = values if isinstance(values, list) else ["any"]
        paths = [one.replace(f"${{item.{name}}}", value) for one in paths for value in known]
    return paths


def upstream(stage):
    """All that a stage stands on, through every stage that makes a dependency of it."""
    made_by = {out: name for name in DAG for key in ("outs", "metrics", "plots") for out in entries(name, key)}
    found, waiting = set(), [stage]
    while waiting:
        for dep in entries(waiting.pop(), "deps"):
            if dep in found:
                continue
            found.add(dep)
            waiting += [name for out, name in made_by.items() if out == dep or out.startswith(f"{dep}/")]
    return found


def test_no_training_stage_depends_on_the_test_fold():
    for stage in set(DAG) - SCORING:
        direct = entries(stage, "deps")
        assert not [dep for dep in direct if dep.rstrip("/").endswith("/test") or dep == "data/balanced"], stage
    assert any(dep.endswith("/test") for dep in entries("evaluate", "deps"))


def test_nothing_that_was_scored_flows_back_into_training():
    scored = {out for stage in SCORING for key in ("outs", "metrics", "plots") for out in entries(stage, key)}
    for stage in set(DAG) - SCORING:
        assert not upstream(stage) & scored, stage


def test_training_does_not_even_import_the_scoring_stage():
    for path in ("train.py", "sweep.py", "training/cross_validation.py", "training/folds.py"):
        source = (Path("stages") / path).read_text()
        assert "test" not in {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}


def test_a_rebuild_up_to_the_comparison_does_not_search():
    assert not any(dep.startswith("metrics/sweep") or dep == "stages/sweep.py" for dep in upstream("compare"))


def stages_for(stage):
    """The stages that a stage stands on, and itself."""
    stands_on = upstream(stage)
    made = {name: {out for key in ("outs", "metrics", "plots") for out in entries(name, key)} for name in DAG}
    inside = {parent.as_posix() for path in stands_on for parent in (Path(path), *Path(path).parents)}
    return {stage, *(name for name, outs in made.items() if outs & inside)}


def test_the_rebuild_without_searches_that_the_readme_names_leaves_nothing_else_out():
    (targets,) = re.findall(r"\*\*`dvc repro (explore [a-z ]+)`\*\*", Path("README.md").read_text())
    reached = set().union(*map(stages_for, targets.split()))
    assert set(DAG) - reached == {"sweep", "external"}


def test_promoting_a_configuration_does_not_make_the_search_stale():
    assert not {f"train.{model}" for model in MODELS} & set(DAG["sweep"]["params"])


def test_the_report_shows_no_parameter_that_would_not_rebuild_it():
    assert set(PARAMETERS) == set(DAG["compare"]["params"])


def test_every_stage_is_described_and_run_as_a_module():
    for name, stage in DAG.items():
        assert stage["desc"]
        assert stage["cmd"].startswith(f"python -m stages.{name}")


def test_every_stage_depends_on_its_own_code_and_parameters():
    for name in DAG:
        assert f"stages/{name}.py" in entries(name, "deps")
        assert DAG[name]["params"]


def test_the_matrix_is_protocols_by_models():
    for name in ("train", "evaluate", "export"):
        assert DAG[name]["matrix"] == {"protocol": list(PROTOCOLS), "model": list(MODELS)}
    assert DAG["balance"]["matrix"] == {"protocol": list(PROTOCOLS)}
    assert DAG["sweep"]["matrix"] == {"model": list(MODELS)}


def test_scores_and_figures_are_in_git_and_data_and_models_in_the_cache():
    for name, stage in DAG.items():
        for key in ("metrics", "plots"):
            for entry in stage.get(key, []):
                assert next(iter(entry.values()))["cache"] is False, (name, entry)
        for out in stage.get("outs", []):
            told = Path(next(iter(out)) if isinstance(out, dict) else out).suffix in (".html", ".md", ".onnx")
            assert told == isinstance(out, dict), (name, out)
            assert not told or next(iter(out.values()))["cache"] is False, (name, out)


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


def imported_files(path):
    return {file for file in (Path(f"{module.replace('.', '/')}.py") for module in imported(path)) if file.is_file()}


@pytest.mark.parametrize("name", DAG)
def test_a_stage_depends_on_what_it_computes_with(name):
    deps = {Path(dep) for dep in entries(name, "deps")}
    waiting, seen = [Path(f"stages/{name}.py")], set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting.extend(imported_files(path) - seen - {Path("stages/config/params.py")})
    of_nouns = {path for path in seen if path.parts[1] in ("nets", "scores", "search", "report")}
    assert not {path for path in of_nouns if not deps & {path, *path.parents}}


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
