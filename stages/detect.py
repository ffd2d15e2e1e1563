"""Hold the beat detector, and what predict makes of the beats that it finds, against the annotations.

``data/raw/`` and ``models/inter_patient/*.onnx`` in; ``metrics/detection/`` and ``data/annotations/detection/`` out.
The detector is scored on all records, the classes of its beats on those of DS2.
"""

import json
import logging
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import joblib
import pandas as pd

from stages.config import paths
from stages.config.params import Params, ParamsError, load_params
from stages.ecg import folds
from stages.ecg.annotations import read_annotations
from stages.ecg.recordings import RecordError, read_recording
from stages.inference.annotated_records import REFERENCE, detector_counts
from stages.inference.end_to_end import replay
from stages.nets.classifying import ModelFileError
from stages.scores.ec57 import ec57_scores, ec57_table

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        detect(load_params())
    except (ParamsError, RecordError, ModelFileError, FileNotFoundError) as error:
        sys.exit(f"detect: {error}")


def detect(params: Params) -> None:
    """Score the detector, and predict at the beats that it finds."""
    database, starts = params.download.resolved_database, {"scored": params.evaluate.start_s, "whole": 0.0}
    raw, called = paths.RAW / database.name, paths.ANNOTATIONS / "detection"
    jobs = [
        joblib.delayed(found_in)(raw, record, params.extract.leads, tuple(starts.values()))
        for record in database.records
    ]
    by_record = dict(zip(database.records, joblib.Parallel(n_jobs=-1)(jobs), strict=True))
    qrs = {}
    for at, (period, start_s) in enumerate(starts.items()):
        scores = ec57_scores({record: found[at] for record, found in by_record.items()})
        qrs[period] = {"start_s": start_s, **{part: scores[part]["qrs"] for part in ("gross", "average")}}
    records = ec57_table({record: whole for record, (_, whole) in by_record.items()})

    shutil.rmtree(called, ignore_errors=True)
    replayed, table = replay(raw, database.ds2, called, params.evaluate.start_s)
    report = {
        "title": f"Beats found by a detector: {folds.label('inter_patient', database.synthetic)}",
        "detector": {"name": f"sleepecg {version('sleepecg')}", "records": len(records), "qrs": qrs},
        "end_to_end": replayed,
    }
    folder = paths.METRICS / "detection"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "detection.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    records[["record", "beats", "qrs_se", "qrs_ppv"]].round(6).to_csv(folder / "detector.csv", index=False)
    table.round(6).to_csv(folder / "records.csv", index=False)
    se, ppv = (qrs["whole"]["gross"][name] for name in ("se", "ppv"))
    log.info("detector: Se %.2f %%, +P %.2f %% over %d records", 100 * se, 100 * ppv, len(records))


def found_in(raw: Path, record: str, leads: tuple[str, ...], starts_s: tuple[float, ...]) -> list[pd.DataFrame]:
    """Compare what the detector finds in a record with what is annotated, from each of several times on."""
    recording = read_recording(raw, record, leads)
    reference = read_annotations(raw, record, REFERENCE)
    return [detector_counts(reference, recording.signal, recording.fs, start_s) for start_s in starts_s]


if __name__ == "__main__":
    main()
