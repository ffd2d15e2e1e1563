"""Classify the beats of a recording of your own.

``python -m stages.predict INPUT`` reads WFDB, EDF, BDF, CSV, TSV, Parquet or NumPy, finds the beats, classifies them
and writes a table, an annotation file and a summary. In Python: ``from stages.inference.classify import classify``.

Not a medical device: what it says is no diagnosis.
"""

import argparse
import logging
import re
from pathlib import Path
from typing import Any, NamedTuple

from stages.config.runner import ending_with_a_message, parser_of
from stages.ecg.annotations import write_annotations
from stages.ecg.recordings import RecordError
from stages.files.writing import replacing, write_json
from stages.inference.annotated_records import ANNOTATOR_OF
from stages.inference.classify import MEMBERS, Classified, annotations_of, classify
from stages.nets.classifying import ModelFileError
from stages.nets.runtimes import MODEL_SUFFIXES
from stages.readers.source import KIND_OF_SUFFIX
from stages.reporting.recording_page import recording_page

log = logging.getLogger(__name__)


class Files(NamedTuple):
    """The files of a recording that was classified."""

    summary: Path
    table: Path
    page: Path
    annotations: Path


def write(recording: Classified, files: Files) -> list[Path]:
    """Write summary, table, page and annotations of a recording: all of them or none.

    WFDB has no file of no annotations: without beats, one of an earlier run is deleted.

    Returns
    -------
    list of Path
        The files, which replace those of an earlier run.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    beats, annotations = recording.beats, files.annotations
    with replacing(files.summary) as summary, replacing(files.table) as table, replacing(files.page) as page:
        write_json(summary, recording.summary)
        if files.table.suffix == ".csv":
            times = beats["time_s"].map("{:.4f}".format)  # six digits would lose the end of a day
            beats.assign(time_s=times).to_csv(table, index=False, float_format="%.6g")
        else:
            beats.to_parquet(table, index=False)
        page.write_text(recording_page(recording), encoding="utf-8")
        if len(beats):
            suffix = annotations.suffix.removeprefix(".")
            write_annotations(annotations.parent, annotations.stem, suffix, annotations_of(beats))
        else:
            annotations.unlink(missing_ok=True)
    return list(files) if len(beats) else list(files[:-1])


def files_of(record: str, folder: Path, model: str, table: str) -> Files:
    """Name the files of a recording; that of the annotations has no characters that WFDB refuses."""
    return Files(
        folder / f"{record}.json",
        folder / f"{record}.beats.{table}",
        folder / f"{record}.html",
        folder / f"{plain_name(record)}.{ANNOTATOR_OF[model]}",
    )


def plain_name(record: str) -> str:
    """Turn the name of a recording into one that WFDB takes: letters, digits, _ and -."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", record)


def refuse_to_overwrite(read: list[Path], written: list[Path]) -> None:
    """Raise a RecordError if a file that is to be written is one that is read."""
    for file in {file.resolve() for file in written} & {file.resolve() for file in read}:
        raise RecordError(f"{file} is read and would be overwritten; choose another folder with --out")


def main() -> None:
    """Classify the recording that the command line names, and write what was found."""
    arguments = parser().parse_args()
    path = arguments.input
    name = path.stem if path.suffix.lower() in KIND_OF_SUFFIX else path.name
    files = files_of(name, arguments.out, arguments.model, arguments.table)
    with ending_with_a_message("predict", (RecordError, ModelFileError)):
        refuse_to_overwrite([path, path.with_name(f"{name}.{arguments.beats}")], list(files))
        arguments.out.mkdir(parents=True, exist_ok=True)  # where that fails, say so before the work
        recording = classify(
            path,
            model=arguments.model,
            protocol=arguments.protocol,
            runtime=arguments.runtime,
            lead=arguments.lead,
            fs=arguments.fs,
            units=arguments.units,
            beats=arguments.beats,
            gate=not arguments.no_gate,
            invert=arguments.invert,
            progress=True,
        )
        written = write(recording, files)
    log.info("%s", in_words(recording.summary))
    if plain_name(name) != name:
        log.info("WFDB takes letters, digits, _ and - in names: the annotations are of %s", plain_name(name))
    log.info("written: %s", ", ".join(map(str, written)))


def parser() -> argparse.ArgumentParser:
    """Describe the arguments of the command line."""
    described = parser_of(main)
    add = described.add_argument
    add("input", type=Path, help="a WFDB record, .edf, .bdf, .csv, .tsv, .txt, .parquet or .npy")
    add("--model", choices=list(MEMBERS), default="ensemble")
    add("--protocol", choices=["inter_patient", "intra_patient"], default="inter_patient")
    add("--runtime", choices=list(MODEL_SUFFIXES), default="onnx")
    add("--lead", help="name of the lead or column; else the one most like MLII")
    add("--fs", type=float, metavar="HZ", help="sampling rate, where the file does not say")
    add("--units", help="mV, uV, V or nV, where the file does not say")
    add("--beats", metavar="ANNOTATOR", help="classify the beats of this annotator, such as atr")
    add("--no-gate", action="store_true", help="classify beats in bad signal as well")
    add("--invert", action="store_true", help="turn the signal upside down: electrodes were swapped")
    add("--table", choices=["csv", "parquet"], default="csv")
    add("--out", type=Path, default=Path("predictions"), metavar="DIR", help="default: predictions")
    return described


def in_words(summary: dict[str, Any]) -> str:
    """Sum a recording up in a few lines."""
    rate = summary["heart_rate"]
    lines = [
        f"{summary['record']}, lead {summary['lead']}, {summary['duration_s'] / 60:.1f} min, "
        f"{summary['readable_s'] / max(summary['duration_s'], 1e-9):.1%} readable",
        *summary["remarks"],
        f"{summary['classified']} of {summary['beats']} beats classified: "
        + ", ".join(f"{count} {name}" for name, count in summary["classes"].items()),
    ]
    if rate:
        lines.append(f"heart rate {rate['mean']:.0f}/min ({rate['lowest']:.0f} to {rate['highest']:.0f})")
    lines.append(
        f"S {summary['burden']['S']:.2f} %, V {summary['burden']['V']:.2f} %; "
        f"V couplets {summary['couplets']['V']}, V runs {len(summary['runs']['V'])}, pauses {len(summary['pauses'])}"
    )
    return "\n".join([*lines, summary["not_a_medical_device"]])


if __name__ == "__main__":
    main()
