"""EDF and BDF, whole, discontinuous and cut: samples in mV, and what is wrong is said."""

from pathlib import Path

import edfio
import numpy as np
import pytest

from stages.ecg.recordings import RecordError
from stages.readers.source import open_source
from tests.readers.files import ECG, FS, OTHER, samples


@pytest.mark.parametrize(("suffix", "kind"), [("edf", "Edf"), ("bdf", "Bdf")])
@pytest.mark.parametrize("unit", ["mV", "uV"])
def test_edf_and_bdf(tmp_path, suffix, kind, unit):
    factor = {"mV": 1, "uV": 1000}[unit]
    signal = getattr(edfio, f"{kind}Signal")
    resp = signal(OTHER, FS, label="Resp", physical_dimension="L")
    ecg = signal(ECG * factor, FS, label="ECG II", physical_dimension=unit, physical_range=(-5 * factor, 5 * factor))
    path = tmp_path / f"a.{suffix}"
    getattr(edfio, kind)([resp, ecg]).write(path)
    with open_source(path) as source:
        assert (source.lead, source.leads, source.fs, source.length) == ("ECG II", ("Resp", "ECG II"), FS, len(ECG))
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=2e-4)
        np.testing.assert_allclose(source.read(333, 777), ECG[333:777], atol=2e-4)
    with pytest.raises(RecordError, match="its units are 'L'; expected mV"):
        samples(path, lead="Resp")


def write_edf(path: Path, onsets=(), seconds=10) -> Path:
    """Write data records of a second; with ``onsets``, when each begins, the file is discontinuous."""
    kind = path.suffix[1:].title()
    signal = getattr(edfio, f"{kind}Signal")
    lead = signal(ECG[: seconds * FS], FS, label="II", physical_dimension="mV", physical_range=(-5, 5))
    notes = [edfio.EdfAnnotation(0, None, "x")]
    getattr(edfio, kind)([lead], annotations=notes, data_record_duration=1).write(path)
    if len(onsets):
        data = bytearray(path.read_bytes())
        data[192:197] = f"{kind.upper()}+D".encode()
        of_lead = FS * {"Edf": 2, "Bdf": 3}[kind]
        width = (len(data) - 768) // seconds - of_lead  # of the annotations, which come last; three headers before
        for number, onset in enumerate(onsets):
            end = 768 + (number + 1) * (of_lead + width)
            data[end - width : end] = f"+{onset}\x14\x14".encode().ljust(width, b"\0")
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_a_discontinuous_edf_keeps_its_gaps(tmp_path, suffix):
    path = write_edf(tmp_path / f"a.{suffix}", onsets=[0, 1, 2, 103, 104, 105, 106, 107, 108, 208.5])
    with open_source(path) as source:
        assert source.length == 52_375
        assert source.remarks == ("Gaps between the parts of the recording (+D): 2, 199.5 s in all.",)
        signal = source.read(0, source.length)
        np.testing.assert_array_equal(source.read(600, 30_000), signal[600:30_000])
    there = np.r_[0:750, 25_750:27_250, 52_125:52_375]
    np.testing.assert_allclose(signal[there], ECG, atol=2e-4)
    assert np.flatnonzero(np.isfinite(signal)).tolist() == there.tolist()


def test_a_discontinuous_edf_without_a_gap_is_as_any_other(tmp_path):
    path = write_edf(tmp_path / "a.edf", onsets=[3.5, 4.499, *np.arange(5.5, 13)])
    with open_source(path) as source:
        assert source.remarks == ()
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=2e-4)


@pytest.mark.parametrize(
    ("onsets", "message"),
    [
        ([*range(9), 8.5], "data record 10, at 8.5 s, overlaps the one before"),
        ([*range(9), 900_000], "data record 10, at 900000 s, is more than 24 hours after the one before"),
        ([*range(9), "x"], "data record 10 does not say when it begins"),
    ],
)
def test_a_discontinuous_edf_that_makes_no_sense(tmp_path, onsets, message):
    with pytest.raises(RecordError, match=rf"a.edf: {message}; export it again"):
        samples(write_edf(tmp_path / "a.edf", onsets))


def test_a_discontinuous_edf_without_annotations_is_refused(tmp_path):
    path = tmp_path / "a.edf"
    edfio.Edf([edfio.EdfSignal(ECG, FS, label="II", physical_dimension="mV")]).write(path)
    data = bytearray(path.read_bytes())
    data[192:197] = b"EDF+D"
    path.write_bytes(data)
    with pytest.raises(RecordError, match="no annotations say when its parts begin; export it again"):
        samples(path)


def test_a_file_cut_short_is_said(tmp_path):
    path = write_edf(tmp_path / "a.edf")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_source(path) as source:
        assert source.duration_s == 4
        assert source.remarks == ("The header describes 10 s and the file holds 4 s: it was cut short.",)


def test_a_recorder_that_did_not_come_to_count_is_said(tmp_path):
    path = write_edf(tmp_path / "a.edf")
    data = bytearray(path.read_bytes())
    data[236:244] = b"-1      "
    path.write_bytes(data)
    with open_source(path) as source:
        assert source.remarks == ("The header does not say how long the recording is; the file holds 10 s.",)


def test_a_rate_that_contradicts_the_header_is_said(tmp_path):
    with open_source(write_edf(tmp_path / "a.edf"), fs=256) as source:
        assert source.fs == 256
        assert source.remarks == ("A sampling rate of 256 Hz was given; the header says 250 Hz.",)
