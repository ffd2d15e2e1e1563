"""Bring the recorded noises of the Noise Stress Test Database to ``data/noise/``: bw, em and ma.

From PhysioNet, or the folder or URL that NSTDB_MIRROR names; SYNTHETIC noises for synthetic records.
"""

import logging
import shutil
import sys

from stages.config.mirrors import source_of
from stages.config.params import Params, ParamsError, load_params
from stages.config.paths import NOISE
from stages.ecg import sources, synthetic
from stages.ecg.databases import NSTDB

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        fetch_noise(load_params())
    except (ParamsError, sources.SourceError, OSError) as error:
        sys.exit(f"noise: {error}")


def fetch_noise(params: Params) -> None:
    """Fetch or make the noises; the folder appears when all of them are there."""
    unfinished = NOISE.with_name(f".{NOISE.name}")
    if params.download.source == "synthetic":
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        synthetic.write_noises(unfinished, params.download.seed, params.download.minutes)
        log.info("%s holds SYNTHETIC noises (seed %d)", NOISE, params.download.seed)
    else:
        sources.fetch_database(NSTDB, source_of(NSTDB, params.robustness.source), unfinished)
    shutil.rmtree(NOISE, ignore_errors=True)
    unfinished.rename(NOISE)


if __name__ == "__main__":
    main()
