"""Bring the raw records of the chosen database to ``data/raw/<database>/``, byte-identical whatever the source."""

import logging
from pathlib import Path

from stages.config.mirrors import source_of
from stages.config.params import Params
from stages.config.paths import RAW
from stages.config.runner import run_stage
from stages.ecg import sources, synthetic
from stages.files.writing import remove

log = logging.getLogger(__name__)


def staging_folder(name: str) -> Path:
    """Name the folder in which the files of a database are gathered; DVC clears ``data/raw`` but not this one."""
    return RAW.parent / f".raw-{name}"


def adopt(folder: Path, staging: Path) -> None:
    """Move the files of an earlier run to the staging folder, where they are verified instead of fetched again."""
    staging.mkdir(parents=True, exist_ok=True)
    if folder.is_dir() and not folder.is_symlink():
        for path in list(folder.iterdir()):
            if not (staging / path.name).exists():
                path.replace(staging / path.name)


def download(params: Params) -> None:
    """Gather the files in the staging folder, and only when all are there let them take the place of ``data/raw``.

    Raises
    ------
    sources.SourceError
        If the source does not give the published files.
    """
    settings = params.download
    database = settings.resolved_database
    folder, staging = RAW / database.name, staging_folder(database.name)
    if database.synthetic:
        remove(staging)
        staging.mkdir(parents=True)
        synthetic.write_database(staging, seed=settings.seed, minutes=settings.minutes)
        log.info("%s holds SYNTHETIC records (seed %d), not patients", folder, settings.seed)
    else:
        source = source_of(database, settings.source)
        if Path(source).resolve().is_relative_to(RAW.resolve()):
            raise sources.SourceError(f"the source {source} lies in {RAW}, which this stage clears; move it elsewhere")
        adopt(folder, staging)
        sources.fetch_database(database, source, staging)
    RAW.mkdir(parents=True, exist_ok=True)
    for path in list(RAW.iterdir()):
        remove(path)
    staging.rename(folder)


if __name__ == "__main__":
    run_stage(download, errors=(sources.SourceError,))
