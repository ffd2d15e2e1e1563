"""Every format gives the same samples in mV; what is wrong or missing is said."""

from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wfdb

from stages.ecg.readers import open_source
from stages.ecg.recordings import RecordError, read_recording

FS = 250
TIMES = np.arange(10 * FS) / FS
ECG = np.round(1.2 * np.exp(-(((TIMES % 1) - 0.5) ** 2) / 0.0004) + 0.1 * np.sin(TIMES), 3)
OTHER = np.round(0.3 * np.cos(TIMES), 3)


def write_csv(path: Path, separator=",", **columns) -> Path:
    pd.DataFrame(columns).to_csv(path, sep=separator, index=False)
    return path


def samples(path: Path, **options) -> np.ndarray:
    with open_source(path, **options) as source:
        return source.read(0, source.length)


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
        found = source.read(0, source.length)
        np.testing.assert_array_equal(source.read(600, 30_000), found[600:30_000])
    there = np.r_[0:750, 25_750:27_250, 52_125:52_375]
    np.testing.assert_allclose(found[there], ECG, atol=2e-4)
    assert np.flatnonzero(np.isfinite(found)).tolist() == there.tolist()


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


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.txt", "\t")])
def test_tables_of_text(tmp_path, name, separator):
    path = write_csv(tmp_path / name, separator, time=TIMES, II=ECG, V1=OTHER)
    with open_source(path) as source:
        assert (source.lead, source.leads, source.fs, source.length) == ("II", ("II", "V1"), FS, len(ECG))
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=1e-6)
        assert any("250 Hz, is that of the column time" in remark for remark in source.remarks)
        assert any("taken for mV" in remark for remark in source.remarks)


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("titled", [True, False])
def test_decimal_commas(tmp_path, separator, titled):
    path = tmp_path / "a.txt"
    table = pd.DataFrame({"time": TIMES, "II": ECG})
    table.to_csv(path, sep=separator, decimal=",", index=False, header=titled)
    options = {} if titled else {"lead": "1", "fs": FS}
    np.testing.assert_allclose(samples(path, **options), ECG, atol=1e-6)


def test_columns_that_stand_below_each_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(pd.DataFrame({"time": TIMES, "II": ECG, "V1": OTHER}).to_string(index=False))
    with open_source(path) as source:
        assert source.leads == ("II", "V1")
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=1e-4)


def test_comments_and_empty_lines_above_a_table(tmp_path):
    path = write_csv(tmp_path / "a.csv", time=TIMES, II=ECG)
    path.write_text("\ufeff# made by a recorder\n\n# of some kind\n" + path.read_text(), encoding="utf-8")
    np.testing.assert_allclose(samples(path), ECG, atol=1e-6)


def test_separators_at_the_end_of_every_row(tmp_path):
    path = write_csv(tmp_path / "a.csv", time=TIMES, II=ECG)
    title, *rows = path.read_text().splitlines()
    path.write_text("\n".join([title, *(f"{row}," for row in rows)]))
    np.testing.assert_allclose(samples(path), ECG, atol=1e-6)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_of_one_name_are_numbered(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        write_csv(path, time=TIMES, ECG=ECG, x=OTHER)
        path.write_text(path.read_text().replace("ECG,x", "ECG,ECG"))
    else:
        pq.write_table(pa.Table.from_arrays([TIMES, ECG, OTHER], ["time", "ECG", "ECG"]), path)
    with open_source(path) as source:
        assert source.leads == ("ECG", "ECG (2)")
    np.testing.assert_allclose(samples(path, lead="ECG (2)"), OTHER, atol=1e-6)


def test_a_row_that_is_too_long_is_named(tmp_path):
    path = write_csv(tmp_path / "a.csv", time=TIMES, II=ECG)
    lines = path.read_text().splitlines()
    lines[1500] += ",9,9"
    path.write_text("\n".join(lines))
    with pytest.raises(RecordError, match=r"a.csv cannot be read as a table \(Expected 2 fields in line 1501, saw 4\)"):
        samples(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_without_a_row(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    table = pd.DataFrame({"time": TIMES[:0], "II": ECG[:0]})
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    with pytest.raises(RecordError, match=rf"a.{suffix} has the columns time, II and no row; expected samples"):
        samples(path)


def test_a_text_that_is_empty(tmp_path):
    (tmp_path / "a.csv").write_text("\n")
    with pytest.raises(RecordError, match=r"a.csv cannot be read as a table: it is empty"):
        samples(tmp_path / "a.csv")


def test_a_text_in_another_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("temps,dérivation\n0,1\n".encode("latin1"))
    with pytest.raises(RecordError, match=r"a.csv cannot be read as a table .*; save it as UTF-8"):
        samples(tmp_path / "a.csv")


def test_a_table_without_a_title_and_without_times(tmp_path):
    path = tmp_path / "a.csv"
    pd.DataFrame({"a": ECG}).to_csv(path, index=False, header=False)
    np.testing.assert_allclose(samples(path, fs=FS), ECG, atol=1e-6)
    with pytest.raises(RecordError, match="no column of times among 0; give the sampling rate with --fs"):
        samples(path)


def test_the_table_that_rdsamp_prints(tmp_path):
    lines = ["'Elapsed time','MLII','V5'", "'hh:mm:ss.mmm','mV','mV'"]
    lines += [f"'{t // 60:.0f}:{t % 60:06.3f}',{a},{b}" for t, a, b in zip(TIMES, ECG, OTHER, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with open_source(tmp_path / "a.csv") as source:
        assert (source.lead, source.fs) == ("MLII", FS)
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=1e-6)


def test_gaps_in_the_times_are_missing_samples(tmp_path):
    kept = (TIMES < 3) | (TIMES >= 4)
    path = write_csv(tmp_path / "a.csv", time_ms=TIMES[kept] * 1000, ecg=ECG[kept])
    found = samples(path)
    assert len(found) == len(ECG)
    np.testing.assert_array_equal(np.isnan(found), ~kept)
    np.testing.assert_allclose(found[kept], ECG[kept], atol=1e-6)


def test_times_that_run_backwards_are_refused(tmp_path):
    times = TIMES.copy()
    times[500:] -= 1
    with pytest.raises(RecordError, match=r"the times of column t do not increase by about 0.004 s"):
        samples(write_csv(tmp_path / "a.csv", t=times, ecg=ECG))


def test_clock_times(tmp_path):
    clock = pd.Timestamp("2026-03-01 23:59:58") + pd.to_timedelta(TIMES, unit="s")
    np.testing.assert_allclose(samples(write_csv(tmp_path / "a.csv", timestamp=clock, ecg=ECG)), ECG, atol=1e-6)


@pytest.mark.parametrize(("unit", "per_second"), [("ms", 1e3), ("us", 1e6), ("ns", 1e9)])
def test_the_unit_of_plain_times_follows_from_the_rate(tmp_path, unit, per_second):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"time": np.rint(1.7e9 + TIMES * per_second).astype(np.int64), "II": ECG}).to_parquet(path)
    with open_source(path, units="mV") as source:
        assert source.remarks == (
            f"The sampling rate, 250 Hz, is that of the column time, whose values were taken for {unit}.",
        )
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=1e-6)


def test_a_rate_out_of_range_is_told_before_units_are_guessed(tmp_path):
    path = write_csv(tmp_path / "a.csv", time=TIMES * 10, II=np.zeros(len(ECG)))
    with pytest.raises(RecordError, match=r"a.csv: the sampling rate is 25 Hz; expected 100 to 1000 Hz, so give the"):
        samples(path)


def test_a_clock_that_is_a_little_off_leaves_no_sample_out(tmp_path):
    times = np.arange(36_000) / 360 * (1 + 3e-4) + np.where(np.arange(36_000) > 18_000, 0.0008, 0)
    signal = np.resize(ECG, len(times))
    with open_source(write_csv(tmp_path / "a.csv", time=times, II=signal), units="mV") as source:
        assert source.fs == pytest.approx(359.89, abs=0.01)
        np.testing.assert_allclose(source.read(0, source.length), signal, atol=1e-6)


def test_times_that_are_rounded_and_jitter_give_a_whole_rate_and_every_sample(tmp_path):
    times = np.arange(36_000) / 360 + np.random.default_rng(0).uniform(0, 1.2e-3, 36_000)
    signal = np.resize(ECG, len(times))
    with open_source(write_csv(tmp_path / "a.csv", time=times.round(4), II=signal), units="mV") as source:
        assert source.fs == 360
        np.testing.assert_allclose(source.read(0, source.length), signal, atol=1e-6)


@pytest.mark.parametrize("at_once", [700, 1_000_000])
def test_a_single_sample_that_is_left_out_is_interpolated(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("stages.ecg.tables.ROWS_AT_ONCE", at_once)
    kept = np.ones(len(TIMES), dtype=bool)
    kept[[400, 700, 1500, 1501]] = False
    path = write_csv(tmp_path / "a.csv", time=TIMES[kept], II=ECG[kept])
    with open_source(path, units="mV") as source:
        found = source.read(0, source.length)
        assert source.remarks[-1] == "Single samples that the column time leaves out were interpolated: 2."
    assert np.flatnonzero(np.isnan(found)).tolist() == [1500, 1501]
    assert found[400] == pytest.approx((ECG[399] + ECG[401]) / 2)
    np.testing.assert_allclose(found[kept], ECG[kept], atol=1e-6)


def test_hours_without_a_sample_take_no_room(tmp_path):
    times = TIMES.copy()
    times[500:] += 20 * 3600
    with open_source(write_csv(tmp_path / "a.csv", time=times, II=ECG), units="mV") as source:
        assert source.duration_s == 20 * 3600 + 10
        np.testing.assert_allclose(source.read(source.length - 2000, source.length), ECG[500:], atol=1e-6)


@pytest.mark.parametrize(
    ("row", "time", "message"),
    [
        (1200, np.nan, "data row 1201 has no time; expected a time in every row"),
        (1200, 1e9, "data row 1201 is 1e\\+09 s after the one before, by its time; expected less than a day"),
        (1200, 1.0, "do not increase by about 0.004 s at data row 1201; put the rows in order"),
        (1200, "soon", "the column time holds 'soon'; expected times, or give --fs"),
    ],
)
@pytest.mark.parametrize("at_once", [700, 1_000_000])
def test_a_wrong_time_is_found(tmp_path, monkeypatch, at_once, row, time, message):
    monkeypatch.setattr("stages.ecg.tables.ROWS_AT_ONCE", at_once)
    times = TIMES.astype(object)
    times[row] = time
    path = write_csv(tmp_path / "a.csv", time=times, II=ECG)
    with pytest.raises(RecordError, match=message):
        samples(path)
    np.testing.assert_allclose(samples(path, fs=FS), ECG, atol=1e-6)


@pytest.mark.parametrize("kind", ["datetime", "datetime with a zone", "timedelta"])
@pytest.mark.parametrize("name", ["timestamp", "when", "index"])
def test_times_of_a_type_of_their_own(tmp_path, kind, name):
    times = pd.Series(pd.to_timedelta(TIMES, unit="s"))
    if kind != "timedelta":
        times += pd.Timestamp("2026-01-01", tz="Europe/Berlin" if "zone" in kind else None)
    table = pd.DataFrame({name: times, "II": ECG})
    (table.set_index(name) if name == "index" else table).to_parquet(tmp_path / "a.parquet")
    with open_source(tmp_path / "a.parquet", units="mV") as source:
        assert (source.fs, source.leads) == (FS, ("II",))
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=1e-6)


def test_times_in_the_index_of_a_parquet_file(tmp_path):
    pd.DataFrame({"time": TIMES, "II": ECG}).set_index("time").to_parquet(tmp_path / "a.parquet")
    np.testing.assert_allclose(samples(tmp_path / "a.parquet"), ECG, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ({"header": False, "index": False}, ["0", "1"]),
        ({"header": ["sample", "value"], "index": False}, ["sample", "value"]),
        ({"header": ["", "value"], "index": False}, ["0", "value"]),
    ],
    ids=["untitled", "sample", "index"],
)
def test_a_column_that_counts_is_no_lead(tmp_path, text, names):
    path = tmp_path / "a.csv"
    pd.DataFrame({"a": np.arange(len(ECG)), "b": ECG}).to_csv(path, **text)
    with open_source(path, fs=FS) as source:
        assert source.lead == names[1]
        assert source.remarks[0] == f"Column {names[0]} increases from row to row, so it is no lead."
        np.testing.assert_allclose(source.read(0, source.length), ECG, atol=1e-6)
    with pytest.raises(RecordError, match=r"no column of times among .*; give the sampling rate with --fs"):
        samples(path)


def test_a_table_of_nothing_but_a_count(tmp_path):
    path = write_csv(tmp_path / "a.csv", sample=np.arange(2000))
    with pytest.raises(RecordError, match="sample increases from row to row, as a time or a count does"):
        samples(path, fs=FS)


def test_parquet(tmp_path):
    pd.DataFrame({"time": TIMES, "ECG1": ECG * 1000}).to_parquet(tmp_path / "a.parquet")
    np.testing.assert_allclose(samples(tmp_path / "a.parquet"), ECG, atol=1e-4)
    np.testing.assert_allclose(samples(tmp_path / "a.parquet", units="uV", fs=FS), ECG, atol=1e-4)


def test_a_long_table_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.ecg.tables.ROWS_AT_ONCE", 700)
    np.testing.assert_allclose(samples(write_csv(tmp_path / "a.csv", t=TIMES, ecg=ECG)), ECG, atol=1e-6)


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
        assert source.remarks == ("Lead V1 was taken, the first of 2; the networks learned from MLII.",)


@pytest.mark.parametrize("name", ["a.edf", "a.csv", "a", "a.xyz"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(RecordError, match=r"is missing.*; expected a recording in one of WFDB, .edf, .bdf"):
        samples(tmp_path / name)


@pytest.mark.parametrize("name", ["a.xyz", "a.npz", "a.csv.gz", "a"])
def test_a_file_of_a_kind_that_is_not_known(tmp_path, name):
    (tmp_path / name).write_text("1,2")
    told = "no ending" if name == "a" else f"the ending {Path(name).suffix}"
    with pytest.raises(RecordError, match=rf"{name} has {told}; expected a recording in one of WFDB.*, so convert it"):
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
    found = samples(tmp_path / "a.npy", fs=FS)[-len(ECG) :]
    np.testing.assert_allclose(found[:-1], ECG[:-1])
    assert np.isnan(found[-1])


def test_an_array_file_without_a_byte(tmp_path):
    (tmp_path / "a.npy").touch()
    with pytest.raises(RecordError, match=r"a.npy cannot be read as an array of numbers"):
        samples(tmp_path / "a.npy", fs=FS)


@pytest.mark.parametrize("name", ["a.edf", "a.bdf", "a.parquet", "a.npy", "a.hea"])
def test_a_file_that_is_something_else(tmp_path, name):
    (tmp_path / name).write_bytes(b"nonsense" * 100)
    with pytest.raises(RecordError, match="cannot be read"):
        samples(tmp_path / name, fs=FS)
