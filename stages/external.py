"""Evaluate the inter-patient networks on another annotated database of PhysioNet: `python -m stages.external svdb`.

Its files, checked against the checksums that the source lists, are kept in ``data/external/<database>/``;
``metrics/external/<database>.{json,csv}`` and the classes of every beat, as annotation files in
``data/annotations/external/<database>/``, come out. All records are new to the networks.
"""

import argparse
import json
import logging
import re
import shutil
import sys
from pathlib import PurePath

from stages.config import paths
from stages.config.mirrors import source_of
from stages.config.params import Params, ParamsError, load_params
from stages.ecg import sources
from stages.ecg.databases import MITDB, Database
from stages.ecg.recordings import RecordError
from stages.inference.end_to_end import replay
from stages.nets.classifying import ModelFileError

NAME = re.compile(r"[a-z][a-z0-9-]*")
SIGNALS = (".hea", ".dat")

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", help="as PhysioNet names it: svdb, incartdb, ...")
    try:
        external(parser.parse_args().database, load_params())
    except (ParamsError, RecordError, ModelFileError, sources.SourceError, OSError) as error:
        sys.exit(f"external: {error}")


def external(name: str, params: Params) -> None:
    """Fetch a database, classify all its records and score.

    Raises
    ------
    sources.SourceError
        If its files cannot be had, or none of its records is annotated.
    RecordError
        If a record cannot be used.
    """
    database, checksums = announced(name, params)
    folder, called = paths.EXTERNAL / name, paths.ANNOTATIONS / "external" / name
    sources.fetch_database(database, source_of(database, params.external.source), folder, checksums)
    shutil.rmtree(called, ignore_errors=True)
    settings = params.external
    replayed, table = replay(
        folder, database.records, called, params.evaluate.start_s, settings.annotator, settings.lead
    )
    report = {"title": f"{name} {database.version}: records that the networks have never seen", **replayed}
    metrics = paths.METRICS / "external"
    metrics.mkdir(parents=True, exist_ok=True)
    (metrics / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    table.round(6).to_csv(metrics / f"{name}.csv", index=False)
    for model, ways in replayed["models"].items():
        scores = [ways["annotated"][score] for score in ("accuracy", "macro_f1_nsvf")]
        log.info("%s, %s: accuracy %.4f, macro F1 N S V F %.4f", name, model, *scores)


def announced(name: str, params: Params) -> tuple[Database, dict[str, str]]:
    """Find out which records a database has, and the checksums of their files, from the list of its source."""
    if not NAME.fullmatch(name) or name == MITDB.name:
        raise sources.SourceError(
            f"{name!r} is no external database; expected a name of PhysioNet in small letters, not {MITDB.name}, "
            "whose records the networks learned from"
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
    main()
