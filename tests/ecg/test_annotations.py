import numpy as np
import pytest
import wfdb

from stages.ecg.annotations import Annotations, read_annotations, read_header, write_annotations
from stages.ecg.recordings import RecordError


def test_what_was_written_is_read_again(tmp_path):
    write_annotations(tmp_path, "100", "ens", Annotations.of_beats([77, 370, 650_000], list("NVS")))
    read = read_annotations(tmp_path, "100", "ens")
    assert read.samples.tolist() == [77, 370, 650_000]
    assert read.symbols.tolist() == list("NVS")
    assert [path.name for path in tmp_path.iterdir()] == ["100.ens"]


def test_any_reader_of_wfdb_files_can_read_them(tmp_path):
    write_annotations(tmp_path, "100", "cnn", Annotations.of_beats([77, 370], list("NF")))
    read = wfdb.rdann(str(tmp_path / "100"), "cnn")
    assert read.sample.tolist() == [77, 370]
    assert read.symbol == ["N", "F"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"record 100: .*100.cnn is missing; run `dvc repro`"):
        read_annotations(tmp_path, "100", "cnn")


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "100.cnn").write_bytes(b"\xff" * 7)
    with pytest.raises(RecordError, match=r"record 100: .*100.cnn is no valid annotation file"):
        read_annotations(tmp_path, "100", "cnn")


def test_a_file_that_cannot_be_written_leaves_the_older_one(tmp_path):
    write_annotations(tmp_path, "100", "cnn", Annotations.of_beats([77], ["N"]))
    with pytest.raises(Exception, match="symbol"):
        write_annotations(tmp_path, "100", "cnn", Annotations.of_beats([78], ["no such symbol"]))
    assert read_annotations(tmp_path, "100", "cnn").samples.tolist() == [77]
    assert [path.name for path in tmp_path.iterdir()] == ["100.cnn"]


def write_header(folder, *comments):
    lines = ["x1 1 360 650000", "x1.dat 212 200 11 1024 0 0 0 MLII", *(f"# {comment}" for comment in comments)]
    (folder / "x1.hea").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    ("comments", "age", "sex"),
    [
        (["69 M 1085 1629 x1", "Aldomet, Inderal"], 69, "M"),
        (["-1 F 742 654 x1"], None, "F"),
        (["SYNTHETIC", "51 F"], 51, "F"),
        ([], None, None),
    ],
)
def test_age_and_sex_stand_in_the_header(tmp_path, comments, age, sex):
    header = read_header(write_header(tmp_path, *comments), "x1")
    assert (header.fs, header.length, header.age, header.sex) == (360.0, 650_000, age, sex)


def test_a_damaged_header_is_named(tmp_path):
    (tmp_path / "x1.hea").write_text("not a header")
    with pytest.raises(RecordError, match=r"record x1: .*x1.hea cannot be read"):
        read_header(tmp_path, "x1")


@pytest.mark.mirror
def test_the_patients_of_mitdb(real_records):
    records = [path.stem for path in real_records.glob("*.hea")]
    headers = [read_header(real_records, record) for record in records]
    assert {header.length for header in headers} == {650_000}
    # Directory of the database: 26 records of men and 22 of women; the age of some is not known.
    assert sum(header.sex == "M" for header in headers) == 26
    assert sum(header.sex == "F" for header in headers) == 22
    assert np.median([header.age for header in headers if header.age]) > 60
