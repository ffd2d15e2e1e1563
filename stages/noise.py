"""Bring the recorded noises of the Noise Stress Test Database to ``data/noise/``: bw, em and ma.

From PhysioNet, or the folder or URL that NSTDB_MIRROR names; SYNTHETIC noises for synthetic records.
"""

import logging

from stages.config.mirrors import source_of
from stages.config.params import Params
from stages.config.paths import NOISE
from stages.config.runner import run_stage
from stages.ecg import sources, synthetic
from stages.ecg.databases import NSTDB
from stages.files.writing import remove

log = logging.getLogger(__name__)


def noise(params: Params) -> None:
    """Fetch or make the noises; the folder appears when all of them are there."""
    unfinished = NOISE.with_name(f".{NOISE.name}")
    if params.download.source == "synthetic":
        remove(unfinished)
        unfinished.mkdir(parents=True)
        synthetic.write_noises(unfinished, params.download.seed, params.download.minutes)
        log.info("%s holds SYNTHETIC noises (seed %d)", NOISE, params.download.seed)
    else:
        sources.fetch_database(NSTDB, source_of(NSTDB, params.robustness.source), unfinished)
    remove(NOISE)
    unfinished.rename(NOISE)


if __name__ == "__main__":
    run_stage(noise, errors=(sources.SourceError,))
