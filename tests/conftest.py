"""What all tests share, and a plain word on whether the real records took part."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import settings

from stages.ecg.beat_format import BeatFormat
from stages.ecg.databases import MITDB
from stages.ecg.sources import fetch_database
from stages.ecg.synthetic import write_database

os.environ.update(WANDB_MODE="disabled", DVC_NO_ANALYTICS="1")

# How long an example takes says something about the machine and nothing about the code.
settings.register_profile("heartbeats", deadline=None)
settings.load_profile("heartbeats")

MIRROR = os.environ.get("MITDB_MIRROR")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

NOT_RUN = {
    "mirror": "set MITDB_MIRROR to a folder or URL that holds mitdb 1.0.0 to run them",
    "browser": "install Chromium to run them",
}
"""What a part of the tests needs that this machine may lack, and what to do."""

MISSING = [marker for marker, there in (("mirror", MIRROR), ("browser", BROWSER)) if not there]


def pytest_collection_modifyitems(config, items):
    not_run = [item for item in items if any(item.get_closest_marker(marker) for marker in MISSING)]
    config.hook.pytest_deselected(items=not_run)
    items[:] = [item for item in items if item not in not_run]


def pytest_terminal_summary(terminalreporter):
    if MIRROR:
        terminalreporter.write_line(f"The tests on the real records of {MIRROR} were included.")
    for marker in MISSING:
        terminalreporter.write_line(f"NOT run: the tests marked `{marker}`; {NOT_RUN[marker]}.")


@pytest.fixture(scope="session")
def mirror() -> str:
    assert MIRROR, "only selected where MITDB_MIRROR is set"
    return str(Path(MIRROR).resolve()) if Path(MIRROR).is_dir() else MIRROR


@pytest.fixture(scope="session")
def real_records(mirror, tmp_path_factory) -> Path:
    """All of mitdb, from the mirror, verified."""
    folder = tmp_path_factory.mktemp("mitdb")
    fetch_database(MITDB, mirror, folder)
    return folder


@pytest.fixture(scope="session")
def synthetic_records(tmp_path_factory) -> Path:
    """The SYNTHETIC database, one minute a record."""
    folder = tmp_path_factory.mktemp("synthetic")
    write_database(folder, seed=5, minutes=1.0)
    return folder


@pytest.fixture
def beat_format() -> BeatFormat:
    return BeatFormat(
        window="fixed",
        leads=("MLII", "V5"),
        fs_hz=360,
        before_s=0.25,
        after_s=0.30,
        refine_s=0.05,
        baseline_s=(0.2, 0.6),
        amplitude="record",
        template=True,
        statistics="record",
    )


@pytest.fixture
def write_record(tmp_path):
    """Write a small record of spikes, one a beat, and return its folder."""

    def write(
        record="x1",
        samples=(100, 400, 700, 1000, 1300),
        symbols="NNVNA",
        length=1500,
        leads=("MLII", "V1"),
        fs=360,
        signal=None,
        annotate=True,
    ) -> Path:
        if signal is None:
            signal = np.zeros((length, len(leads)))
            for sample in samples:
                signal[min(sample, length - 1)] = 1.0
        digital = np.where(np.isnan(signal), -2048, np.rint(np.nan_to_num(signal) * 200) + 1024).astype(int)
        wfdb.wrsamp(
            record,
            fs=fs,
            units=["mV"] * len(leads),
            sig_name=list(leads),
            d_signal=digital,
            fmt=["212"] * len(leads),
            adc_gain=[200.0] * len(leads),
            baseline=[1024] * len(leads),
            write_dir=str(tmp_path),
        )
        if annotate:
            wfdb.wrann(record, "atr", np.array(samples), list(symbols), write_dir=str(tmp_path))
        return tmp_path

    return write
