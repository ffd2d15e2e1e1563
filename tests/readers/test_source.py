"""WFDB, arrays and what all formats share: samples in mV, and what is wrong or missing is said."""

from pathlib import Path

import numpy as np
import pytest
import wfdb

from stages.ecg.recordings import RecordError, read_recording
from stages.readers.source import open_source
from tests.readers.files import ECG, FS, OTHER, samples


def test_a_wfdb_record_is_read_as_the_pipeline_reads_it(write_record):
    folder = write_record(length=1500, leads=("V1", "MLII"))
    expected = read_recording(folder, "x1", ("MLII",)).signal
    for path in (folder / "x1", folder / "x1.hea", folder / "x1.dat"):
        with open_source(path) as source:
            assert (source.record, source.lead, source.leads, source.fs) == ("x1", "MLII", ("V1", "MLII"), 360)
            assert source.remarks == ()
            np.testing.assert_array_equal(source.read(0, source.length), expected)
            np.testing.assert_array_equal(source.read(300, 900), expected[300:900])


def test_invalid_samples_of_a_wfdb_record_are_nan(write_record):
    signal = np.zeros((1500, 1))
    signal[700:720] = np.nan
    folder = write_record(length=1500, leads=("MLII",), signal=signal)
    assert np.flatnonzero(np.isnan(samples(folder / "x1"))).tolist() == list(range(700, 720))


def test_a_header_cannot_lead_out_of_its_folder(tmp_path):
    (tmp_path / "x.hea").write_text("x 1 360 100\n../secret.dat 16 200 16 0 0 0 0 MLII\n")
    with pytest.raises(RecordError, match="cannot be read as a WFDB header"):
        samples(tmp_path / "x")


def test_a_gain_of_zero_means_200_units_a_millivolt(tmp_path):
    wfdb.wrsamp(
        "z",
        FS,
        ["mV"],
        ["ECG1"],
        d_signal=np.full((500, 1), 100),
        fmt=["16"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(tmp_path),
    )
    header = tmp_path / "z.hea"
    header.write_text(header.read_text().replace("200.0(0)/mV", "0"))
    with open_source(tmp_path / "z") as source:
        assert source.read(0, source.length).tolist() == [0.5] * 500
        assert source.remarks[-2:] == (
            "The header says no gain, so 200 units a mV were assumed.",
            "The header says no units, so they were taken for mV.",
        )
    with open_source(tmp_path / "z", units="uV") as source:
        assert source.remarks[-1] == "The header says no gain, so 200 units a mV were assumed."


@pytest.mark.parametrize(
    ("gain", "assumed"),
    [("", 2), ("0", 2), ("0.0", 2), ("0(3)", 2), ("0/mV", 1), ("200", 1), ("0.5/mV", 0), ("200.0(5)/mV", 0)],
)
def test_what_a_header_leaves_to_its_format_is_said(tmp_path, gain, assumed):
    (tmp_path / "z.hea").write_text(f"# no record\nz 1 250 500\n# of signals\nz.dat 16 {gain}\n")
    np.zeros(500, dtype="<i2").tofile(tmp_path / "z.dat")
    with open_source(tmp_path / "z") as source:
        assert sum("The header says no" in remark for remark in source.remarks) == assumed


def test_a_signal_without_a_name_has_its_number(tmp_path):
    (tmp_path / "z.hea").write_text("z 1 250 500\nz.dat 16\n")
    np.zeros(500, dtype="<i2").tofile(tmp_path / "z.dat")
    with open_source(tmp_path / "z") as source:
        assert source.lead == "0"


def test_a_wfdb_header_may_leave_out_the_length(tmp_path):
    wfdb.wrsamp("z", FS, ["mV"], ["II"], ECG[:, None], fmt=["16"], adc_gain=[1000.0], baseline=[0],
                write_dir=str(tmp_path))  # fmt: skip
    header = tmp_path / "z.hea"
    header.write_text(header.read_text().replace(f"z 1 {FS} {len(ECG)}", f"z 1 {FS}"))
    with open_source(tmp_path / "z") as source:
        np.testing.assert_allclose(source.read(0, source.length), ECG)
        np.testing.assert_allclose(source.read(500, 900), ECG[500:900])


@pytest.mark.parametrize("shape", ["(samples,)", "(samples, leads)", "(leads, samples)"])
def test_arrays(tmp_path, shape):
    both = np.stack([OTHER, ECG], axis=1)
    array = {"(samples,)": ECG, "(samples, leads)": both, "(leads, samples)": both.T}[shape]
    np.save(tmp_path / "a.npy", array)
    lead = None if shape == "(samples,)" else "1"
    with open_source(tmp_path / "a.npy", fs=FS, lead=lead, units="mV") as source:
        np.testing.assert_allclose(source.read(10, 2000), ECG[10:2000])
        assert any("taken for the leads" in remark for remark in source.remarks) == (shape == "(leads, samples)")


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(RecordError, match="cannot be read as an array of numbers"):
        samples(tmp_path / "a.npy", fs=FS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "an array has no sampling rate; give --fs"),
        ({"fs": 0}, "the sampling rate is 0 Hz; expected 100 to 1000 Hz"),
        ({"fs": float("nan")}, "the sampling rate is nan Hz; expected 100 to 1000 Hz"),
        ({"fs": 50}, "the sampling rate is 50 Hz; expected 100 to 1000 Hz"),
        ({"fs": FS, "lead": "7"}, "there is no column 7; expected a number from 0 to 0"),
        ({"fs": FS, "units": "furlong"}, "units are furlong; expected one of mV, uV, V, nV"),
    ],
)
def test_what_an_array_lacks_is_asked_for(tmp_path, options, message):
    np.save(tmp_path / "a.npy", ECG)
    with pytest.raises(RecordError, match=message):
        samples(tmp_path / "a.npy", **options)


def test_a_lead_that_is_not_there(write_record):
    with pytest.raises(RecordError, match="there is no lead aVF; expected one of MLII, V1"):
        samples(write_record() / "x1", lead="aVF")


def test_a_lead_is_known_by_its_bare_name(write_record):
    with open_source(write_record(leads=("Lead V1", "ECG II")) / "x1") as source:
        assert source.lead == "ECG II"
    with open_source(write_record(leads=("V1", "V2")) / "x1", lead="ecg v2") as source:
        assert source.lead == "V2"
    with open_source(write_record(leads=("V1", "V2")) / "x1") as source:
        assert source.remarks == ("Lead V1 was taken, the first of 2; the networks were trained on MLII.",)


@pytest.mark.parametrize("name", ["a.edf", "a.csv", "a", "a.xyz"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(RecordError, match=r"is missing.*; expected a recording in one of WFDB, .edf, .bdf"):
        samples(tmp_path / name)


@pytest.mark.parametrize("name", ["a.xyz", "a.npz", "a.csv.gz", "a"])
def test_a_file_of_a_kind_that_is_not_known(tmp_path, name):
    (tmp_path / name).write_text("1,2")
    ending = "no ending" if name == "a" else f"the ending {Path(name).suffix}"
    with pytest.raises(
        RecordError, match=rf"{name} has {ending}; expected a recording in one of WFDB.*, so convert it"
    ):
        samples(tmp_path / name)


def test_a_folder_is_no_recording(tmp_path):
    (tmp_path / "a.csv").mkdir()
    for folder in (tmp_path, tmp_path / "a.csv"):
        with pytest.raises(RecordError, match=f"{folder} is a folder; expected one recording, so name a file"):
            samples(folder)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(0), r"an array of shape \(0,\); expected samples"),
        (np.zeros(2000), r"lead 0 is 0 throughout; expected an ECG, so choose another file, or give --units"),
        (np.full((2000, 2), np.nan), r"lead 0 holds no number; expected an ECG, so choose another --lead of 0, 1, or"),
        (ECG * 1e6, r"lead 0 spans 1.37002e\+06 and no units are named; expected less than 20000, so give --units"),
    ],
)
def test_values_that_are_no_ecg(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(RecordError, match=rf"a.npy.* {message}"):
        samples(tmp_path / "a.npy", fs=FS)


def test_units_are_guessed_from_the_first_minute_with_a_signal(tmp_path):
    array = np.concatenate([np.zeros(100 * FS), ECG * 1000])
    array[-1] = np.inf
    np.save(tmp_path / "a.npy", array)
    signal = samples(tmp_path / "a.npy", fs=FS)[-len(ECG) :]
    np.testing.assert_allclose(signal[:-1], ECG[:-1])
    assert np.isnan(signal[-1])


def test_an_array_file_without_a_byte(tmp_path):
    (tmp_path / "a.npy").touch()
    with pytest.raises(RecordError, match=r"a.npy cannot be read as an array of numbers"):
        samples(tmp_path / "a.npy", fs=FS)


@pytest.mark.parametrize("name", ["a.edf", "a.bdf", "a.parquet", "a.npy", "a.hea"])
def test_a_file_that_is_something_else(tmp_path, name):
    (tmp_path / name).write_bytes(b"nonsense" * 100)
    with pytest.raises(RecordError, match="cannot be read"):
        samples(tmp_path / name, fs=FS)
