"""The typed, validated view of params.yaml.

Every stage loads the whole file, so a typo in any section stops the run before anything is computed.
"""

import difflib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.ecg.beat_format import BeatFormat
from stages.ecg.databases import DATABASES, SYNTHETIC, Database
from stages.search.space import SweepConfiguration

PARAMS_FILE = Path("params.yaml")

PROTOCOLS = ("inter_patient", "intra_patient")
MODELS = ("cnn", "rnn")
SWEEP_METRICS = ("val_macro_f1", "val_accuracy", "val_f1_N", "val_f1_S", "val_f1_V", "val_f1_F")
"""Scores of a trial that a sweep can be for: of all training beats, each by the network that left out its fold."""


class ParamsError(ValueError):
    """params.yaml cannot be used; the message names each key, what was expected and what was found."""


class Section(BaseModel):
    """A section that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Seed = Annotated[int, Field(ge=0, lt=2**32)]
Size = Annotated[int, Field(ge=4, le=512)]
Rate = Annotated[float, Field(ge=0, le=0.8)]
WindowSpan = Annotated[float, Field(ge=0.05, le=2)]


class Download(Section):
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
        return BeatFormat(**self.model_dump())


class Explore(Section):
    seed: Seed
    strip_s: Annotated[float, Field(ge=2, le=60)]


class Augment(Section):
    shift_s: Annotated[float, Field(ge=0, le=0.1)]
    scale: Annotated[float, Field(ge=0, le=0.5)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    wander: Annotated[float, Field(ge=0, le=0.5)]


class Balance(Section):
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
    """What both networks are fitted with."""

    layer_FC_size: Size
    dropout_rate: Rate
    learning_rate: Annotated[float, Field(ge=1e-6, le=0.1)]
    weight_decay: Annotated[float, Field(ge=0, le=0.1)]
    batch_size: Annotated[int, Field(ge=16, le=8192)]
    epochs: Annotated[int, Field(ge=1, le=500)]


class Cnn(Fit):
    layer_1_size: Annotated[int, Field(ge=4, le=256)]
    layer_2_size: Annotated[int, Field(ge=4, le=256)]
    layer_3_size: Annotated[int, Field(ge=4, le=256)]


class Rnn(Fit):
    layer_type: Literal["gru", "lstm"]
    bidirectional: bool
    units: Annotated[int, Field(ge=4, le=256)]
    layers: Annotated[int, Field(ge=1, le=3)]
    frame: Annotated[int, Field(ge=1, le=64)]


NETWORKS: dict[str, type[Fit]] = {"cnn": Cnn, "rnn": Rnn}


class Ensemble(Section):
    members: Annotated[int, Field(ge=1, le=20)]
    refit: bool
    longer: Annotated[float, Field(gt=0, le=20)]
    batch: Annotated[float, Field(gt=0, le=1)]
    dropout: Annotated[float, Field(ge=0, le=1)]
    shape_tells_s: bool
    transplant: Annotated[float, Field(ge=0, le=1)]
    alike_beats: Annotated[int, Field(ge=1, le=1000)] | None
    prior_beats: Annotated[float, Field(ge=1, le=1e9)] | None


class Train(Section):
    seed: Seed
    focal_gamma: Annotated[float, Field(ge=0, le=5)]
    patience: Annotated[int, Field(ge=1, le=100)]
    inter_patient: Ensemble
    intra_patient: Ensemble
    cnn: Cnn
    rnn: Rnn


class Sweep(Section):
    seed: Seed
    fraction_of_beats: Annotated[float, Field(gt=0, le=1)]
    fraction_of_epochs: Annotated[float, Field(gt=0, le=1)]
    cnn: SweepConfiguration
    rnn: SweepConfiguration

    @model_validator(mode="after")
    def _parameters_are_those_of_the_networks(self) -> "Sweep":
        for name in MODELS:
            try:
                _check_space(getattr(self, name), NETWORKS[name])
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
        return self


def _check_space(sweep: SweepConfiguration, network: type[Fit]) -> None:
    """Make sure that every trial would be a valid section of train."""
    if sweep.metric.name not in SWEEP_METRICS:
        raise ValueError(f"metric.name: expected one of {', '.join(SWEEP_METRICS)}; found {sweep.metric.name}")
    missing, unknown = network.model_fields.keys() - sweep.parameters, sweep.parameters.keys() - network.model_fields
    if missing or unknown:
        raise ValueError(
            f"parameters: expected every hyperparameter of train, `value` for one that is not searched; "
            f"missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
    first = {name: parameter.extremes[0] for name, parameter in sweep.parameters.items()}
    for name, parameter in sweep.parameters.items():
        for value in parameter.extremes:
            try:
                network.model_validate(first | {name: value}, strict=False)
            except ValidationError as error:
                found = next((problem for problem in error.errors() if problem["loc"] == (name,)), None)
                if found:
                    raise ValueError(f"parameters.{name}: {found['msg']}; found {value!r}") from None


class Evaluate(Section):
    start_s: Annotated[float, Field(ge=0, le=1800)]
    without: Annotated[tuple[str, ...], Field(strict=False)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    seed: Seed


class Robustness(Section):
    source: str
    snr_db: Annotated[tuple[Annotated[float, Field(ge=-40, le=60)], ...], Field(min_length=1, strict=False)]


class External(Section):
    databases: Annotated[tuple[str, ...], Field(strict=False)]
    version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    source: str
    annotator: Annotated[str, Field(pattern=r"^[a-z]+$")]
    lead: str | None


class Export(Section):
    calibration_beats: Annotated[int, Field(ge=50, le=100_000)]
    seed: Seed


class Idea(Section):
    idea: Annotated[str, Field(min_length=1)]
    verdict: Literal["kept", "dropped"]
    models: Annotated[tuple[Literal["cnn", "rnn"], ...], Field(min_length=1, strict=False)] = ("cnn", "rnn")
    changes: Annotated[dict[str, Any], Field(min_length=1)]

    @property
    def label(self) -> str:
        """What is different from the design of params.yaml."""
        return f"{'without' if self.verdict == 'kept' else 'with'} {self.idea}"


class Ablation(Section):
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]
    everywhere: dict[str, Any]
    ideas: tuple[Idea, ...] = Field(strict=False)


class Tracking(Section):
    mode: Literal["auto", "online", "offline", "disabled"]
    project: Annotated[str, Field(min_length=1, max_length=128)]


class Params(Section):
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
    ablation: Ablation
    tracking: Tracking

    @model_validator(mode="after")
    def _adapted_probabilities_are_calibrated(self) -> "Params":
        if self.balance.method != "class_weight" and self.train.focal_gamma == 0:
            return self
        for protocol in PROTOCOLS:
            if getattr(self.train, protocol).prior_beats is not None:
                raise ValueError(
                    f"train.{protocol}.prior_beats: expected null, because focal loss and class weights leave "
                    "probabilities uncalibrated, and adapting such to a patient fails; found a number"
                )
        return self


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check a parameter file.

    Raises
    ------
    ParamsError
        If the file is missing, is no YAML mapping, misses a key, has one too many (the nearest right one is
        suggested) or holds a value of the wrong type or out of range.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing; run from the top folder of the project") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{path} holds {type(raw).__name__}, expected one section per stage")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors())
        raise ParamsError(f"{path} has {error.error_count()} problem(s):\n{problems}") from None


def _describe(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, list(_known_keys(Params)), n=1, cutoff=0.5)
        return f"{key}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if problem["type"] == "missing":
        return f"{key}: missing"
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}"
    return f"{key}: {problem['msg']}; found {problem['input']!r}"


def _known_keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_keys(field.annotation, f"{prefix}{name}.")
