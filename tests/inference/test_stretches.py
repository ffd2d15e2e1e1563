import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import wfdb

from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.ecg.beats import cut_beats
from stages.ecg.recordings import Recording
from stages.inference.classify import classify
from stages.inference.stretches import Network, classify_stretches, stretches
from stages.readers.source import Source
from tests.made_up import FS, rhythm


def source_of(signal, reads=None):
    def read(start, stop):
        if reads is not None:
            reads.append(stop - start)
        return np.asarray(signal[start:stop], dtype=float)

    return Source("x1", "MLII", ("MLII",), FS, len(signal), read)


def early_is_s(signals, rhythm, records):
    early = rhythm[:, FEATURES.index("log_rr_pre_over_mean")] < np.log(0.85)
    probabilities = np.zeros((len(signals), 5), dtype=np.float32)
    probabilities[np.arange(len(signals)), early.astype(int)] = 1
    return probabilities


def joined(parts):
    return pd.concat([part.beats for part in parts], ignore_index=True)


@pytest.mark.parametrize(("minutes", "count"), [(0.5, 1), (30.1, 1), (44, 1), (46, 2), (90, 3), (24 * 60, 48)])
def test_a_recording_is_divided_into_half_hours(minutes, count):
    length = round(minutes * 60 * FS)
    parts = stretches(length, FS)
    assert len(parts) == count
    assert parts[0][0] == 0
    assert parts[-1][1] == length
    assert all(first[1] == second[0] for first, second in pairwise(parts))


def test_detected_beats_are_classified(beat_format):
    signal, beats = rhythm(120)
    table = joined(classify_stretches(source_of(signal), Network(early_is_s, beat_format)))
    assert np.abs(table["sample"].to_numpy()[2:-2] - beats[-len(table) :][2:-2]).max() <= 3
    late = table[table["sample"] > 10 * FS]
    assert late["class"].value_counts()["S"] == pytest.approx(11, abs=1)
    assert (late["confidence"] == 1).all()


def test_annotated_beats_give_what_the_pipeline_sees_to_the_bit(beat_format):
    signal, beats = rhythm(120)
    seen = []

    def remember(signals, rhythm, records):
        seen.append((signals, rhythm))
        return early_is_s(signals, rhythm, records)

    table = joined(classify_stretches(source_of(signal), Network(remember, beat_format), annotated=beats, gate=False))
    signals, table = cut_beats(Recording("x1", "MLII", FS, signal, beats, np.array(["N"] * len(beats))), beat_format)
    np.testing.assert_array_equal(seen[0][0], signals)
    np.testing.assert_array_equal(seen[0][1], table[list(FEATURES)].to_numpy("f4"))
    assert table["sample"].tolist() == beats.tolist()


def test_stretches_meet_without_losing_or_doubling_a_beat(beat_format, monkeypatch):
    signal, beats = rhythm(300)
    whole = joined(classify_stretches(source_of(signal), Network(early_is_s, beat_format), annotated=beats))
    monkeypatch.setattr("stages.inference.stretches.STRETCH_S", 60.0)
    reads = []
    parts = list(classify_stretches(source_of(signal, reads), Network(early_is_s, beat_format), annotated=beats))
    assert len(parts) == 5
    assert max(reads) <= 80 * FS
    table = joined(parts)
    assert table["sample"].tolist() == whole["sample"].tolist() == beats.tolist()
    assert (table["class"] == whole["class"]).mean() > 0.98
    detected = joined(classify_stretches(source_of(signal), Network(early_is_s, beat_format)))
    assert len(detected) == pytest.approx(len(beats), abs=3)
    assert (np.diff(detected["sample"]) > 0).all()


def test_what_cannot_be_read_is_not_classified(beat_format):
    signal, beats = rhythm(120)
    signal[40 * FS : 50 * FS] = np.nan
    (part,) = classify_stretches(source_of(signal), Network(early_is_s, beat_format), annotated=beats)
    hidden = (part.beats["sample"] >= 40 * FS) & (part.beats["sample"] < 50 * FS)
    assert (part.beats.loc[hidden, "class"] == "").all()
    assert (part.beats.loc[hidden, "unreadable"] == "missing").all()
    assert part.beats.loc[hidden, list(aami.PROBABILITY_COLUMNS)].isna().all(axis=None)
    assert (part.beats.loc[~hidden & (part.beats["unreadable"] == ""), "class"] != "").all()
    assert {problem.reason for problem in part.problems} == {"missing"}
    (ungated,) = classify_stretches(source_of(signal), Network(early_is_s, beat_format), annotated=beats, gate=False)
    assert (ungated.beats["class"] != "").all()
    assert ungated.problems == []


def test_gaps_make_no_beat_early(beat_format):
    signal, beats = rhythm(240)
    for second in range(12, 240, 20):
        signal[second * FS : (second + 5) * FS] = np.nan
    (part,) = classify_stretches(source_of(signal), Network(early_is_s, beat_format))
    classified = part.beats[part.beats["class"] != ""]
    early = np.isin(classified["sample"].to_numpy() // 10, beats[9::10] // 10)
    assert set(classified["class"][early]) == {"S"}
    assert set(classified["class"][~early]) == {"N"}
    assert len(classified) > 150


def test_memory_does_not_grow_with_the_length(beat_format):
    fs = 100
    fmt = replace(beat_format, fs_hz=fs)

    def read(start, stop):
        """A SYNTHETIC beat a second, made as it is read."""
        phase = np.arange(start, stop) / fs % 1 - 0.5
        return np.exp(-((phase / 0.02) ** 2) / 2)

    def peak(hours):
        source = Source("x1", "MLII", ("MLII",), fs, hours * 3600 * fs, read)
        tracemalloc.start()
        for part in classify_stretches(source, Network(early_is_s, fmt)):
            assert len(part.beats) == 1800
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4) < 1.1 * peak(1)


def test_an_interval_that_is_not_known_is_not_rhythm(beat_format):
    signal, beats = rhythm(60)
    signal[30 * FS + 180 : 34 * FS] = np.nan
    (part,) = classify_stretches(source_of(signal), Network(early_is_s, beat_format), annotated=beats)
    expected = np.diff(beats, prepend=np.nan) / FS
    known = (beats < 30 * FS + 180) | (beats > 35 * FS)
    np.testing.assert_array_equal(np.isnan(part.beats["rr_pre_s"]), np.isnan(expected) | ~known)
    np.testing.assert_allclose(part.beats["rr_pre_s"][1:][known[1:]], expected[1:][known[1:]])


@pytest.mark.mirror
def test_gaps_make_no_beat_of_record_113_early(real_records, tmp_path):
    signal = wfdb.rdrecord(str(real_records / "113"), channels=[0]).p_signal[:, 0]
    for second in range(15, 1800, 30):
        signal[second * FS : (second + 5) * FS] = np.nan
    np.save(tmp_path / "113.npy", signal)
    recording = classify(tmp_path / "113.npy", fs=FS, units="mV")
    assert recording.summary["classified"] > 1350
    assert recording.summary["classes"]["S"] <= 10


@pytest.mark.parametrize("signal", [np.zeros(5000), np.full(5000, np.nan), np.zeros(10)], ids=["flat", "nan", "short"])
def test_a_signal_without_beats_gives_none(beat_format, signal):
    (part,) = classify_stretches(source_of(signal), Network(early_is_s, beat_format))
    assert len(part.beats) == 0
    assert {"sample", "class", "p_N", "confidence", "unreadable"} <= set(part.beats)
