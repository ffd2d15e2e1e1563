import hashlib
import os
import shutil

import numpy as np
import pytest

from stages.ecg.beatset import read_beats
from stages.ecg.databases import MITDB, SYNTHETIC
from stages.ecg.recordings import RecordError
from stages.extract import cut_database, verify_counts


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def raw(tmp_path, synthetic_records):
    shutil.copytree(synthetic_records, tmp_path / "raw" / "synthetic")
    return tmp_path / "raw"


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path, raw, beat_format):
    cut_database(raw, tmp_path / "one", SYNTHETIC, beat_format, workers=1)
    cut_database(raw, tmp_path / "two", SYNTHETIC, beat_format, workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_beats_come_in_the_order_of_the_records(tmp_path, raw, beat_format):
    cut_database(raw, tmp_path / "beats", SYNTHETIC, beat_format, workers=1)
    beats = read_beats(tmp_path / "beats")
    assert beats.table["record"].is_monotonic_increasing
    assert beats.table["record"].unique().tolist() == list(SYNTHETIC.records)
    assert (beats.table.groupby("record")["sample"].is_monotonic_increasing).all()
    assert beats.about.synthetic


def test_a_damaged_record_is_named_and_leaves_no_beats(tmp_path, raw, beat_format):
    path = raw / "synthetic" / "s05.dat"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(RecordError, match=r"record s05: s05\.dat"):
        cut_database(raw, tmp_path / "beats", SYNTHETIC, beat_format, workers=1)
    assert not (tmp_path / "beats").exists()
    assert not list(tmp_path.glob(".*unfinished"))


def test_counts_other_than_the_published_ones_are_an_error():
    counts = {record: np.zeros(5, dtype=int) for record in MITDB.records}
    counts["101"] += MITDB.counts["ds1"]
    counts["100"] += MITDB.counts["ds2"]
    counts["102"] += MITDB.counts["left_out"]
    verify_counts(counts, MITDB)
    counts["100"][2] -= 1
    with pytest.raises(RecordError, match=r"records all: expected \(90631, 2781, 7236, 803, 8043\).*7235"):
        verify_counts(counts, MITDB)


@pytest.mark.mirror
def test_all_48_records_give_the_published_beats(tmp_path, real_records, beat_format):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mitdb").symlink_to(real_records)
    cut_database(tmp_path / "raw", tmp_path / "beats", MITDB, beat_format)
    beats = read_beats(tmp_path / "beats")
    assert beats.signals.shape == (109494, 198, 2)
    assert np.isfinite(beats.signals).all()
    symbols = beats.table["symbol"].value_counts().to_dict()
    assert symbols == {
        **{"N": 75052, "L": 8075, "R": 7259, "V": 7130, "/": 7028, "A": 2546, "f": 982, "F": 803},
        **{"j": 229, "a": 150, "E": 106, "J": 83, "Q": 33, "e": 16, "S": 2},
    }
    late = beats.table[beats.table["time_s"] >= 300]
    for name, published in {"ds1": (38012, 894, 3214, 335, 8), "ds2": (36926, 1608, 2686, 288, 7)}.items():
        counted = late.loc[late["record"].isin(MITDB.records_of(name)), "aami"].value_counts()
        assert tuple(int(counted[c]) for c in "NSVFQ") == published, name
    assert beats.table.groupby("record")["lead"].first().drop(["102", "104"]).eq("MLII").all()
    assert beats.table["subject"].nunique() == 47
