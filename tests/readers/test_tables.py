"""Tables of text and of Parquet, with their clocks: samples in mV, and what is wrong is said."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.ecg.recordings import RecordError
from stages.readers.source import open_source
from tests.readers.files import ECG, FS, OTHER, TIMES, samples, write_csv


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
    signal = samples(path)
    assert len(signal) == len(ECG)
    np.testing.assert_array_equal(np.isnan(signal), ~kept)
    np.testing.assert_allclose(signal[kept], ECG[kept], atol=1e-6)


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
    monkeypatch.setattr("stages.readers.tables.ROWS_AT_ONCE", at_once)
    kept = np.ones(len(TIMES), dtype=bool)
    kept[[400, 700, 1500, 1501]] = False
    path = write_csv(tmp_path / "a.csv", time=TIMES[kept], II=ECG[kept])
    with open_source(path, units="mV") as source:
        signal = source.read(0, source.length)
        assert source.remarks[-1] == "Single samples that the column time leaves out were interpolated: 2."
    assert np.flatnonzero(np.isnan(signal)).tolist() == [1500, 1501]
    assert signal[400] == pytest.approx((ECG[399] + ECG[401]) / 2)
    np.testing.assert_allclose(signal[kept], ECG[kept], atol=1e-6)


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
    monkeypatch.setattr("stages.readers.tables.ROWS_AT_ONCE", at_once)
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
    monkeypatch.setattr("stages.readers.tables.ROWS_AT_ONCE", 700)
    np.testing.assert_allclose(samples(write_csv(tmp_path / "a.csv", t=TIMES, ecg=ECG)), ECG, atol=1e-6)
