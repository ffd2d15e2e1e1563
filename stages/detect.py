"""Compare the beat detector, and the classes that predict gives to the beats that it finds, with the annotations.

``data/raw/`` and ``models/inter_patient/*.onnx`` in; the headlines ``metrics/detection.json``, everything else in
``metrics/detection/`` and ``data/annotations/detection/`` out. The detector is scored on all records, the classes of
its beats on those of DS2.
"""

import logging
from importlib.metadata import version
from pathlib import Path

import joblib
import pandas as pd

from stages.config import paths
from stages.config.params import DESIGN_PROTOCOL, Params
from stages.config.progress import side_by_side
from stages.config.runner import run_stage
from stages.ecg import folds
from stages.ecg.annotations import read_annotations
from stages.ecg.recordings import RecordError, read_recording
from stages.files.writing import remove, write_json
from stages.inference.annotated_records import REFERENCE
from stages.inference.detector import detector_counts
from stages.inference.end_to_end import Records, classify_all
from stages.nets.classifying import ModelFileError
from stages.scores.ec57 import AFTER_LEARNING, FROM_START, GROSS, ec57_summary, ec57_table
from stages.scores.headlines import rounded

log = logging.getLogger(__name__)


def detect(params: Params) -> None:
    """Score the detector, and the classes of the beats that it finds."""
    database, folder = params.download.resolved_database, paths.METRICS / "detection"
    raw, called = paths.RAW / database.name, paths.ANNOTATIONS / "detection"
    qrs, by_record = score_detector(raw, database.records, params)
    remove(called)
    scored = classify_all(Records(raw, database.ds2), called, params.evaluate.start_s)

    folder.mkdir(parents=True, exist_ok=True)
    qrs.round(6).to_csv(folder / "qrs.csv", index=False)
    by_record[["record", "beats", "qrs_se", "qrs_ppv"]].round(6).to_csv(folder / "detector.csv", index=False)
    scored.write(folder)
    about = {
        "title": f"Beats found by a detector: {folds.label(DESIGN_PROTOCOL, database.synthetic)}",
        "detector": f"sleepecg {version('sleepecg')}",
        "records": len(database.records),
        "remarks": scored.remarks,
    }
    write_json(folder / "about.json", about)
    gross = qrs[(qrs["period"] == FROM_START) & (qrs["kind"] == GROSS)].iloc[0]
    ensemble = scored.main_figures("ensemble", "detected")
    averages = {name: rounded(ensemble[name]) for name in ("sveb_se_average", "veb_se_average")}
    headlines = {name: rounded(float(gross[name])) for name in ("qrs_se", "qrs_ppv")}
    write_json(folder.with_name(f"{folder.name}.json"), {**headlines, **averages})
    se, ppv = 100 * gross["qrs_se"], 100 * gross["qrs_ppv"]
    log.info("detector: Se %.2f %%, +P %.2f %% over %d records", se, ppv, len(database.records))


def score_detector(raw: Path, records: tuple[str, ...], params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare what the detector finds in all records with what is annotated.

    Returns
    -------
    DataFrame
        Two rows a period: ``period``, ``start_s``, ``kind`` (gross or average), ``qrs_se``, ``qrs_ppv``.
    DataFrame
        One row a record, from its start, as :func:`stages.scores.ec57.ec57_table` gives it.
    """
    starts = {AFTER_LEARNING: params.evaluate.start_s, FROM_START: 0.0}
    leads = params.extract.leads
    jobs = (joblib.delayed(counts_of)(raw, record, leads, tuple(starts.values())) for record in records)
    counts = dict(zip(records, side_by_side(jobs, "detector", records), strict=True))
    parts = []
    for at, (period, start_s) in enumerate(starts.items()):
        summary = ec57_summary({record: of_record[at] for record, of_record in counts.items()})
        parts.append(summary[["kind", "qrs_se", "qrs_ppv"]].assign(period=period, start_s=start_s))
    qrs = pd.concat(parts, ignore_index=True)[["period", "start_s", "kind", "qrs_se", "qrs_ppv"]]
    return qrs, ec57_table({record: from_start for record, (_, from_start) in counts.items()})


def counts_of(raw: Path, record: str, leads: tuple[str, ...], starts_s: tuple[float, ...]) -> list[pd.DataFrame]:
    """Compare what the detector finds in a record with what is annotated, from each of several times on."""
    recording = read_recording(raw, record, leads)
    reference = read_annotations(raw, record, REFERENCE)
    return [detector_counts(reference, recording.signal, recording.fs, start_s) for start_s in starts_s]


if __name__ == "__main__":
    run_stage(detect, errors=(RecordError, ModelFileError))
