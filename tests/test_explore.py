import numpy as np
import pandas as pd
import pytest

from stages import explore
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import About, BeatSet
from stages.ecg.databases import SYNTHETIC
from stages.ecg.recordings import RecordError


@pytest.fixture
def beats(beat_format):
    """Two records of four beats each, whose first samples are their numbers."""
    table = pd.DataFrame(
        {
            "record": ["s01"] * 4 + ["s09"] * 4,
            "subject": ["s01"] * 4 + ["s09"] * 4,
            "lead": "MLII",
            "time_s": np.arange(8.0),
            "aami": list("NNSVNNFQ"),
            "rr_mean_s": 0.8,
            "edge": [True] + [False] * 7,
            "invalid": False,
            "flat": False,
            **dict.fromkeys(FEATURES, 0.0),
        }
    )
    signals = np.zeros((8, *beat_format.shape), np.float32)
    signals[:, 0, 0] = np.arange(8)
    return BeatSet(signals, table, About("synthetic", "1.0.0", True, beat_format))


def test_beats_are_counted_in_each_set_of_records(beats):
    counts = explore.beats_of_sets(beats.table, SYNTHETIC).set_index(["set", "class"])["beats"]
    assert counts["all", "N"] == 4
    assert counts["ds1", "N"] == counts["ds2", "N"] == 2
    assert counts["ds1", "F"] == counts["left_out", "N"] == 0


def test_a_record_is_described_in_a_row(beats):
    table = explore.describe_records(beats.table).set_index("record")
    assert table.loc["s01", ["beats", "N", "S", "V", "edge"]].tolist() == [4, 2, 1, 1, 1]


def test_the_mean_beat_of_a_class_without_beats_is_not_known(beats):
    beats.table["aami"] = list("NNNNNNNS")
    means = explore.mean_beats(beats)
    assert len(means) == 5 * beats.about.fmt.shape[0]
    first = means.groupby("class")[["mean", "sd"]].first()
    assert means[means["class"] == "N"]["mean"].iloc[0] == np.mean(np.arange(7))
    assert first.loc["V"].isna().all()


def test_a_strip_of_each_class_is_chosen_and_a_class_without_beats_is_told(beats):
    strips = explore.choose_strips(beats, 10.0, np.random.default_rng(0))
    assert strips["class"].tolist() == list("NSVFQ")
    assert strips.set_index("class").loc["Q", ["record", "time_s", "length_s"]].tolist() == ["s09", 7.0, 10.0]
    beats.table["aami"] = list("NNSVNNFF")
    with pytest.raises(RecordError, match="synthetic has no beat of class Q"):
        explore.choose_strips(beats, 10.0, np.random.default_rng(0))


def test_the_summary_says_that_records_are_made_up(beats):
    summary = explore.summary_of(beats.table, SYNTHETIC)
    assert "SYNTHETIC" in summary["database"]
    assert (summary["records"], summary["beats"], summary["classes"]["N"]) == (2, 8, 4)
    assert summary["flagged"] == {"edge": 1, "invalid": 0, "flat": 0}
