"""Classify the beats of a recording of your own.

``python -m stages.predict INPUT`` reads WFDB, EDF, BDF, CSV, TSV, Parquet or NumPy, finds the beats, classifies them
and writes a table, an annotation file and a summary. In Python: ``from stages.inference.classify import classify``.

Not a medical device: what it says is no diagnosis.
"""

import argparse
import json
import logging
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from stages.ecg.annotations import write_annotations
from stages.ecg.recordings import RecordError
from stages.inference.classify import ANNOTATORS, MEMBERS, Classified, classify, marked
from stages.nets.classifying import ModelFileError
from stages.nets.runtimes import SUFFIXES
from stages.readers.source import SUFFIXES as READABLE
from stages.reporting.recording_page import recording_page

log = logging.getLogger(__name__)


def write(found: Classified, folder: Path, annotator: str, table: Literal["csv", "parquet"]) -> list[Path]:
    """Write summary, table, page and annotations (WFDB has no file for none) of a recording: all of them or none.

    Returns
    -------
    list of Path
        The files, which replace those of an earlier run.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    beats = found.beats
    files = outputs(found.summary["record"], folder, annotator, table)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        made = [Path(unfinished) / file.name for file in files]
        made[0].write_text(json.dumps(found.summary, indent=2) + "\n", encoding="utf-8")
        if table == "csv":
            times = beats["time_s"].map("{:.4f}".format)  # six digits would lose the end of a day
            beats.assign(time_s=times).to_csv(made[1], index=False, float_format="%.6g")
        else:
            beats.to_parquet(made[1], index=False)
        page = recording_page(found.summary, beats, found.problems, found.shapes, found.fmt, found.excerpts)
        made[2].write_text(page, encoding="utf-8")
        if len(beats):
            write_annotations(Path(unfinished), files[3].stem, annotator, beats["sample"], marked(beats))
        written = [file for part, file in zip(made, files, strict=True) if part.exists()]
        for file in written:
            (Path(unfinished) / file.name).replace(file)
    return written


def outputs(record: str, folder: Path, annotator: str, table: str) -> list[Path]:
    """Name summary, table, page and annotation file; the last has no characters that WFDB refuses."""
    names = [f"{record}.json", f"{record}.beats.{table}", f"{record}.html", f"{plain_name(record)}.{annotator}"]
    return [folder / name for name in names]


def plain_name(record: str) -> str:
    """Turn the name of a recording into one that WFDB takes: letters, digits, _ and -."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", record)


def refuse_to_overwrite(read: list[Path], written: list[Path]) -> None:
    """Raise a RecordError if a file that is to be written is one that is read."""
    for file in {file.resolve() for file in written} & {file.resolve() for file in read}:
        raise RecordError(f"{file} is read and would be overwritten; choose another folder with --out")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, help="a WFDB record, .edf, .bdf, .csv, .tsv, .txt, .parquet or .npy")
    parser.add_argument("--model", choices=list(MEMBERS), default="ensemble")
    parser.add_argument("--protocol", choices=["inter_patient", "intra_patient"], default="inter_patient")
    parser.add_argument("--runtime", choices=list(SUFFIXES), default="onnx")
    parser.add_argument("--lead", help="name of the lead or column; else the one most like MLII")
    parser.add_argument("--fs", type=float, metavar="HZ", help="sampling rate, where the file does not say")
    parser.add_argument("--units", help="mV, uV, V or nV, where the file does not say")
    parser.add_argument("--beats", metavar="ANNOTATOR", help="classify the beats of this annotator, such as atr")
    parser.add_argument("--no-gate", action="store_true", help="judge beats in bad signal as well")
    parser.add_argument("--invert", action="store_true", help="turn the signal upside down: electrodes were swapped")
    parser.add_argument("--table", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--out", type=Path, default=Path("predictions"), metavar="DIR", help="default: predictions")
    given = parser.parse_args()
    annotator = ANNOTATORS[given.model]
    name = given.input.stem if given.input.suffix.lower() in READABLE else given.input.name
    read = [given.input, given.input.with_name(f"{name}.{given.beats}")]
    try:
        refuse_to_overwrite(read, outputs(name, given.out, annotator, given.table))
        given.out.mkdir(parents=True, exist_ok=True)  # where that fails, say so before the work
        found = classify(
            given.input,
            given.model,
            given.protocol,
            given.runtime,
            given.lead,
            given.fs,
            given.units,
            given.beats,
            not given.no_gate,
            given.invert,
            progress=True,
        )
        files = write(found, given.out, annotator, given.table)
    except (RecordError, ModelFileError, OSError) as error:
        sys.exit(f"predict: {error}")
    log.info("%s", told(found.summary))
    if plain_name(name) != name:
        log.info("WFDB takes letters, digits, _ and - in names: the annotations are of %s", plain_name(name))
    log.info("written: %s", ", ".join(map(str, files)))


def told(summary: dict[str, Any]) -> str:
    """Sum a recording up in a few lines."""
    rate = summary["heart_rate"]
    lines = [
        f"{summary['record']}, lead {summary['lead']}, {summary['duration_s'] / 60:.1f} min, "
        f"{summary['readable_s'] / max(summary['duration_s'], 1e-9):.1%} readable",
        *summary["remarks"],
        f"{summary['judged']} of {summary['beats']} beats judged: "
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
