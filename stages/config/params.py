"""The typed, validated view of params.yaml.

Every stage loads the whole file, so a typo in any section stops the run before anything is computed. The files beside
it, ``sweeps/<model>.yaml`` and ``ablation.yaml``, are read in the same way by :mod:`stages.config.sweeps` and
:mod:`stages.config.ablation`.
"""

import difflib
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.ecg.beat_format import BeatFormat
from stages.ecg.databases import DATABASES, SYNTHETIC, Database

PARAMS_FILE = Path("params.yaml")

PROTOCOLS = ("inter_patient", "intra_patient")
MODELS = ("cnn", "rnn")

DESIGN_PROTOCOL = "inter_patient"
"""Under which designs are compared by cross-validation, in searches and ablations."""

RENAMED = {
    f"train.{protocol}.{old}": f"train.{protocol}.{new}"
    for protocol in PROTOCOLS
    for old, new in {
        "longer": "epochs_factor",
        "batch": "batch_size_factor",
        "dropout": "dropout_factor",
        "shape_tells_s": "morphology_separates_s",
        "transplant": "template_swap",
        "alike_beats": "n_neighbors",
        "prior_beats": "prior_strength",
    }.items()
}
"""Keys of earlier versions of params.yaml -> as they are called now."""

MOVED = {
    "sweep.cnn": "sweeps/cnn.yaml",
    "sweep.rnn": "sweeps/rnn.yaml",
    "ablation": "ablation.yaml",
}
"""Sections of earlier versions of params.yaml -> the files that they are now."""


class ParamsError(ValueError):
    """A parameter file cannot be used; the message names each key, what was expected and what was found."""


class Section(BaseModel):
    """A section that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Seed = Annotated[int, Field(ge=0, lt=2**32)]
Size = Annotated[int, Field(ge=4, le=512)]
Rate = Annotated[float, Field(ge=0, le=0.8)]
WindowSpan = Annotated[float, Field(ge=0.05, le=2)]


class Download(Section):
    """Where the records come from."""

    source: str
    database: Literal["mitdb", "synthetic"]
    seed: Seed
    minutes: Annotated[float, Field(ge=0.5, le=30)]

    @property
    def resolved_database(self) -> Database:
        """The database that the source holds."""
        return SYNTHETIC if self.source == "synthetic" else DATABASES[self.database]

    @model_validator(mode="after")
    def _synthetic_has_one_source(self) -> "Download":
        if self.database == "synthetic" and self.source != "synthetic":
            raise ValueError("database synthetic needs source synthetic")
        return self


class Extract(Section):
    """How beats are cut from the records."""

    window: Literal["fixed", "kachuee"]
    leads: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    fs_hz: Annotated[int, Field(ge=50, le=1000)]
    before_s: WindowSpan
    after_s: WindowSpan
    refine_s: Annotated[float, Field(ge=0, le=0.2)]
    baseline_s: Annotated[tuple[Annotated[float, Field(gt=0, le=5)], ...], Field(strict=False)]
    amplitude: Literal["record", "none"]
    template: bool
    statistics: Literal["record", "past"]

    @property
    def beat_format(self) -> BeatFormat:
        """What a window looks like."""
        return BeatFormat(**self.model_dump())


class Explore(Section):
    """What is shown of the database."""

    seed: Seed
    strip_s: Annotated[float, Field(ge=2, le=60)]


class Augment(Section):
    """How strongly drawn copies of beats are changed."""

    shift_s: Annotated[float, Field(ge=0, le=0.1)]
    scale: Annotated[float, Field(ge=0, le=0.5)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    wander: Annotated[float, Field(ge=0, le=0.5)]


class Balance(Section):
    """How beats are split into folds, and drawn."""

    folds: dict[str, list[list[str]]]
    mixed_folds: Annotated[int, Field(ge=2, le=20)]
    test_fraction: Annotated[float, Field(ge=0.01, le=0.4)]
    seed: Seed
    method: Literal["none", "class_weight", "undersample", "oversample", "smote", "augment"]
    ratio: Annotated[float, Field(ge=0.01, le=1)]
    smote_neighbours: Annotated[int, Field(ge=1, le=50)]
    augment: Augment

    @model_validator(mode="after")
    def _folds_are_ds1(self) -> "Balance":
        for name, groups in self.folds.items():
            if name not in DATABASES:
                raise ValueError(f"folds.{name}: unknown database, expected one of {sorted(DATABASES)}")
            ds1 = sorted(DATABASES[name].ds1)
            if len(groups) < 2 or not all(groups) or sorted(chain.from_iterable(groups)) != ds1:
                raise ValueError(
                    f"folds.{name}: expected two groups or more, with every DS1 record ({' '.join(ds1)}) in one of "
                    f"them; found {groups}"
                )
        return self


class Fit(Section):
    """What both kinds of network have: their dense layer and how they are fitted."""

    layer_FC_size: Size
    dropout_rate: Rate
    learning_rate: Annotated[float, Field(ge=1e-6, le=0.1)]
    weight_decay: Annotated[float, Field(ge=0, le=0.1)]
    batch_size: Annotated[int, Field(ge=16, le=8192)]
    epochs: Annotated[int, Field(ge=1, le=500)]


class Cnn(Fit):
    """How the convolutional network is built and fitted."""

    layer_1_size: Annotated[int, Field(ge=4, le=256)]
    layer_2_size: Annotated[int, Field(ge=4, le=256)]
    layer_3_size: Annotated[int, Field(ge=4, le=256)]


class Rnn(Fit):
    """How the recurrent network is built and fitted."""

    layer_type: Literal["gru", "lstm"]
    bidirectional: bool
    units: Annotated[int, Field(ge=4, le=256)]
    layers: Annotated[int, Field(ge=1, le=3)]
    frame: Annotated[int, Field(ge=1, le=64)]


NETWORKS: dict[str, type[Fit]] = {"cnn": Cnn, "rnn": Rnn}


class EnsembleParams(Section):
    """How the networks of one protocol are fitted and averaged, and how their probabilities are adapted."""

    members: Annotated[int, Field(ge=1, le=20)]
    refit: bool
    epochs_factor: Annotated[float, Field(gt=0, le=20)]
    batch_size_factor: Annotated[float, Field(gt=0, le=1)]
    dropout_factor: Annotated[float, Field(ge=0, le=1)]
    morphology_separates_s: bool
    template_swap: Annotated[float, Field(ge=0, le=1)]
    n_neighbors: Annotated[int, Field(ge=1, le=1000)] | None
    prior_strength: Annotated[float, Field(ge=1, le=1e9)] | None


class Train(Section):
    """How networks are fitted: what all share, each protocol, each kind of network."""

    seed: Seed
    focal_gamma: Annotated[float, Field(ge=0, le=5)]
    patience: Annotated[int, Field(ge=1, le=100)]
    inter_patient: EnsembleParams
    intra_patient: EnsembleParams
    cnn: Cnn
    rnn: Rnn

    def ensemble(self, protocol: str) -> EnsembleParams:
        """Give the section of a protocol."""
        return {"inter_patient": self.inter_patient, "intra_patient": self.intra_patient}[protocol]

    def network(self, model: str) -> Fit:
        """Give the section of a kind of network."""
        sections: dict[str, Fit] = {"cnn": self.cnn, "rnn": self.rnn}
        return sections[model]


class Sweep(Section):
    """What both searches share; the space that each searches stands in ``sweeps/<model>.yaml``."""

    seed: Seed
    fraction_of_beats: Annotated[float, Field(gt=0, le=1)]
    fraction_of_epochs: Annotated[float, Field(gt=0, le=1)]


class Evaluate(Section):
    """How networks are scored on the test fold."""

    start_s: Annotated[float, Field(ge=0, le=1800)]
    without: Annotated[tuple[str, ...], Field(strict=False)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed


class Robustness(Section):
    """Which noise is mixed in, and how much."""

    source: str
    snr_db: Annotated[tuple[Annotated[float, Field(ge=-40, le=60)], ...], Field(min_length=1, strict=False)]


class External(Section):
    """Which other databases of PhysioNet networks are scored on."""

    databases: Annotated[tuple[str, ...], Field(strict=False)]
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    source: str
    annotator: Annotated[str, Field(pattern=r"^[a-z]+$")]
    lead: str | None


class Export(Section):
    """How networks are converted for other runtimes."""

    calibration_beats: Annotated[int, Field(ge=50, le=100_000)]
    seed: Seed


class Tracking(Section):
    """How runs are logged to Weights & Biases."""

    mode: Literal["auto", "online", "offline", "disabled"]
    project: Annotated[str, Field(min_length=1, max_length=128)]


class Params(Section):
    """All of params.yaml."""

    download: Download
    extract: Extract
    explore: Explore
    balance: Balance
    train: Train
    sweep: Sweep
    evaluate: Evaluate
    export: Export
    robustness: Robustness
    external: External
    tracking: Tracking

    @model_validator(mode="after")
    def _adapted_probabilities_are_calibrated(self) -> "Params":
        if self.balance.method != "class_weight" and self.train.focal_gamma == 0:
            return self
        for protocol in PROTOCOLS:
            if self.train.ensemble(protocol).prior_strength is not None:
                raise ValueError(
                    f"train.{protocol}.prior_strength: expected null, because focal loss and class weights leave "
                    "probabilities uncalibrated, and adapting those to a patient fails; found a number"
                )
        return self


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check a parameter file.

    Raises
    ------
    ParamsError
        As :func:`read_checked` does.
    """
    return read_checked(path, Params)


Checked = TypeVar("Checked", bound=BaseModel)


def read_checked(path: Path, kind: type[Checked]) -> Checked:
    """Read a YAML file as a typed value.

    Raises
    ------
    ParamsError
        If the file is missing, is no YAML mapping, misses a key, has one too many (its new name, or the nearest right
        one, is named) or holds a value of the wrong type or out of range.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing; run from the top folder of the project") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{path} holds {type(raw).__name__}, expected a mapping of keys to values")
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise problems_of(path, [_describe(problem, kind) for problem in _without_renamed(error.errors())]) from None


def problems_of(path: Path, problems: Sequence[str]) -> ParamsError:
    """Make the error that lists all that is wrong with a parameter file."""
    listed = "\n".join(f"  {problem}" for problem in problems)
    return ParamsError(f"{path} has {len(problems)} problem(s):\n{listed}")


def key_problem(key: str) -> str | None:
    """Say what is wrong with a key of params.yaml, as ``train.cnn.epochs``; None if it is there."""
    known = list(_known_keys(Params))
    return None if key in known else _unknown(key, known)


def _without_renamed(problems: Sequence[Any]) -> list[Any]:
    """Leave out that a key is missing where it is there under its old name."""
    there = {RENAMED[key] for key in map(_key_of, problems) if key in RENAMED}
    return [problem for problem in problems if problem["type"] != "missing" or _key_of(problem) not in there]


def _describe(problem: Any, kind: type[BaseModel]) -> str:
    key = _key_of(problem)
    if problem["type"] == "extra_forbidden":
        return f"{key}: {_unknown(key, list(_known_keys(kind)))}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
    return f"{key}: {problem['msg']}; found {problem['input']!r}"


def _key_of(problem: Any) -> str:
    return ".".join(str(part) for part in problem["loc"])


def _unknown(key: str, known: Sequence[str]) -> str:
    if key in RENAMED:
        return f"this key is now called {RENAMED[key]}"
    for section, file in MOVED.items():
        if key == section or key.startswith(f"{section}."):
            return f"this section is now the file {file}"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return "unknown key" + (f"; did you mean {near[0]}?" if near else "")


def _known_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_keys(field.annotation, f"{prefix}{name}.")
