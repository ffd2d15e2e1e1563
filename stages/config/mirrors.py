"""Where the files of a database come from: as params.yaml says, unless the environment names a mirror."""

import os

from stages.ecg.databases import Database
from stages.ecg.sources import mirror_variable


def source_of(database: Database, source: str) -> str:
    """Give the mirror that ``<DATABASE>_MIRROR`` names instead of ``physionet``; any other source stays."""
    mirror = os.environ.get(mirror_variable(database))
    return mirror if mirror and source == "physionet" else source
