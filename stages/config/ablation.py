"""The typed, validated view of ablation.yaml: which ideas are tried with and without."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from stages.config.params import Section, Seed, key_problem, problems_of, read_checked

ABLATION_FILE = Path("ablation.yaml")


class Idea(Section):
    """An idea: what it changes in params.yaml, and whether it was kept."""

    idea: Annotated[str, Field(min_length=1)]
    verdict: Literal["kept", "dropped"]
    models: Annotated[tuple[Literal["cnn", "rnn"], ...], Field(min_length=1, strict=False)] = ("cnn", "rnn")
    changes: Annotated[dict[str, Any], Field(min_length=1)]

    @property
    def label(self) -> str:
        """What is different from the design of params.yaml."""
        return f"{'without' if self.verdict == 'kept' else 'with'} {self.idea}"


class Ablation(Section):
    """Ideas, and what all runs share."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]
    everywhere: dict[str, Any]
    ideas: tuple[Idea, ...] = Field(strict=False)


def load_ablation(path: Path = ABLATION_FILE) -> Ablation:
    """Read and check the plan of an ablation.

    Raises
    ------
    ParamsError
        As :func:`stages.config.params.read_checked` does, and if what is changed is no key of params.yaml.
    """
    plan = read_checked(path, Ablation)
    changes = {"everywhere": plan.everywhere} | {
        f"ideas.{number}.changes": idea.changes for number, idea in enumerate(plan.ideas)
    }
    problems = [(f"{where}.{key}", key_problem(key)) for where, changed in changes.items() for key in changed]
    if wrong := [f"{where}: {problem}" for where, problem in problems if problem]:
        raise problems_of(path, wrong)
    return plan
