"""Evaluate the inter-patient networks on another annotated database of PhysioNet: `python -m stages.external svdb`.

Its files, checked against the checksums that the source lists, are kept in ``data/external/<database>/``. Out come the
headlines ``metrics/external/<database>.json``, everything else in the folder of that name, and the classes of every
beat as annotation files in ``data/annotations/external/<database>/``. All records are new to the networks.
"""

import logging
import re
from pathlib import PurePath

from stages.config import paths
from stages.config.mirrors import source_of
from stages.config.params import Params
from stages.config.runner import run_stage
from stages.ecg import sources
from stages.ecg.databases import MITDB, Database
from stages.ecg.recordings import RecordError
from stages.files.writing import remove, write_json
from stages.inference.classify import MEMBERS
from stages.inference.end_to_end import Records, classify_all
from stages.nets.classifying import ModelFileError
from stages.scores.headlines import headlines

NAME = re.compile(r"[a-z][a-z0-9-]*")
SIGNALS = (".hea", ".dat")

log = logging.getLogger(__name__)


def external(params: Params, database: str) -> None:
    """Fetch a database, classify all its records and score.

    Raises
    ------
    sources.SourceError
        If its files cannot be had, or none of its records is annotated.
    RecordError
        If a record cannot be used.
    """
    settings = params.external
    source, checksums = announced(database, params)
    folder, called = paths.EXTERNAL / database, paths.ANNOTATIONS / "external" / database
    sources.fetch_database(source, source_of(source, settings.source), folder, checksums)
    remove(called)
    records = Records(folder, source.records, settings.annotator, settings.lead)
    scored = classify_all(records, called, params.evaluate.start_s)
    metrics = paths.METRICS / "external" / database
    metrics.mkdir(parents=True, exist_ok=True)
    scored.write(metrics)
    about = {
        "title": f"{database} {source.version}: records that the networks have never seen",
        "records": len(source.records),
        "remarks": scored.remarks,
    }
    write_json(metrics / "about.json", about)
    ensemble = {**scored.of("ensemble", "annotated"), **scored.main_figures("ensemble", "annotated")}
    write_json(metrics.with_name(f"{database}.json"), headlines(ensemble))
    for model in MEMBERS:
        scores = scored.of(model, "annotated")
        log.info(
            "%s, %s: accuracy %.4f, macro F1 (N S V F) %.4f",
            *(database, model, scores["accuracy"], scores["macro_f1_nsvf"]),
        )


def announced(name: str, params: Params) -> tuple[Database, dict[str, str]]:
    """Find out which records a database has, and the checksums of their files, from the list of its source."""
    if not NAME.fullmatch(name) or name == MITDB.name:
        raise sources.SourceError(
            f"{name!r} is no external database; expected a name of PhysioNet in small letters, not {MITDB.name}, "
            "whose records the networks were trained on"
        )
    bare = Database(name=name, version=params.external.version, ds1=(), ds2=())
    listed = sources.announced_checksums(bare, source_of(bare, params.external.source))
    wanted = (*SIGNALS, f".{params.external.annotator}")
    stems = {PurePath(file).stem for file in listed if file.endswith(wanted)}
    records = sorted(stem for stem in stems if all(f"{stem}{suffix}" in listed for suffix in wanted))
    if not records:
        raise sources.SourceError(
            f"{name} {bare.version} lists no record with the files {', '.join(wanted)}; "
            "set external.annotator to one that it has"
        )
    files = {f"{record}{suffix}" for record in records for suffix in wanted}
    return Database(name=name, version=bare.version, ds1=(), ds2=tuple(records)), {
        file: listed[file] for file in sorted(files)
    }


if __name__ == "__main__":
    run_stage(external, errors=(RecordError, ModelFileError, sources.SourceError), database=())
