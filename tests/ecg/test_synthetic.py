"""The synthetic database: files like those of mitdb, and beats that look and come as their symbols say."""

from dataclasses import dataclass

import numpy as np
import pytest
import wfdb

from stages.ecg import aami
from stages.ecg.databases import SYNTHETIC
from stages.ecg.synthetic import FS, write_database

SEED = 20040
MINUTES = 4.0
REACH = round(0.15 * FS)
QRS_REACH_S = 0.1
"""Spares the P wave."""
FEW = 4
"""Fewer beats than these have no average to speak of."""


@dataclass
class Record:
    header: wfdb.Record
    annotation: wfdb.Annotation
    classes: np.ndarray
    symbols: np.ndarray
    samples: np.ndarray
    complexes: np.ndarray

    @property
    def normal_rr(self):
        """Median interval between two beats of the patient's own rhythm."""
        own = self.classes == "N"
        return np.median(np.diff(self.samples)[own[1:] & own[:-1]])

    def widths(self, name):
        """Root mean square width of the energy of the complexes of a class, s."""
        time = np.arange(-REACH, REACH + 1) / FS
        near = np.abs(time) <= QRS_REACH_S
        energy, time = self.complexes[self.classes == name][:, near] ** 2, time[near]
        centre = (energy @ time) / energy.sum(axis=1)
        return np.sqrt((energy * (time - centre[:, None]) ** 2).sum(axis=1) / energy.sum(axis=1))

    def around(self, name):
        """Intervals before and after the beats of a class, as multiples of the normal one."""
        at = np.flatnonzero(self.classes == name)
        rr = np.diff(self.samples) / self.normal_rr
        return rr[at - 1], rr[at]


def read(folder, name):
    header = wfdb.rdrecord(str(folder / name))
    annotation = wfdb.rdann(str(folder / name), "atr")
    beats = aami.is_beat(annotation.symbol)
    symbols, samples = np.array(annotation.symbol)[beats], annotation.sample[beats]
    complexes = header.p_signal[samples[:, None] + np.arange(-REACH, REACH + 1), 0]
    complexes = complexes - np.median(complexes, axis=1, keepdims=True)
    classes = np.array(aami.CLASSES)[aami.class_indices(symbols)]
    return Record(header, annotation, classes, symbols, samples, complexes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    write_database(folder, SEED, MINUTES)
    return folder


@pytest.fixture(scope="module")
def records(folder):
    return {name: read(folder, name) for name in SYNTHETIC.records}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_are_those_of_the_database(folder):
    assert tuple(sorted(path.name for path in folder.iterdir())) == SYNTHETIC.files
    assert (folder / "RECORDS").read_text().split() == list(SYNTHETIC.records)
    assert (folder / "ANNOTATORS").read_text().startswith("atr\t")


def test_same_seed_same_bytes_other_seed_other_signals(tmp_path):
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        write_database(tmp_path / name, seed, 0.5)
    first, again, other = (contents(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert all(
        first[f"{record}.{suffix}"] != other[f"{record}.{suffix}"]
        for record in SYNTHETIC.records
        for suffix in ("dat", "atr")
    )


def test_records_have_the_form_of_mitdb(records):
    for name, record in records.items():
        header = record.header
        assert (header.fs, header.sig_len) == (FS, MINUTES * 60 * FS), name
        assert header.sig_name == ["MLII", "V1"]
        assert (header.fmt, header.adc_gain, header.baseline) == (["212"] * 2, [200.0] * 2, [1024] * 2)
        assert header.base_date is None
        assert header.base_time is None
        assert np.isfinite(header.p_signal).all(), name
        assert np.abs(header.p_signal).max() < 5, f"{name} is clipped"


def test_headers_say_synthetic_and_give_age_and_sex(records):
    for record in records.values():
        label, person = record.header.comments
        assert label.startswith("SYNTHETIC")
        age, sex = person.split()
        assert 18 < int(age) < 100
        assert sex in ("M", "F")


def test_rhythm_and_noise_are_annotated_too(records):
    for record in records.values():
        annotation = record.annotation
        assert annotation.symbol[0] == "+"
        assert annotation.aux_note[0] == "(N\0"
        assert "~" in annotation.symbol
        assert (np.diff(annotation.sample) >= 0).all()
        assert (np.diff(record.samples) > 0.25 * FS).all()


def test_every_class_is_in_every_part_of_a_split(records):
    patients = {c: {name for name, record in records.items() if c in record.classes} for c in aami.CLASSES}
    for name in "NSVF":
        assert patients[name] == set(records)
    assert patients["Q"] == {"s01", "s03", "s06", "s08", "s10", "s12"}
    assert {symbol for record in records.values() for symbol in record.symbols} == set("NLRAVF/fQ")


@pytest.mark.parametrize(("name", "low", "high"), [("S", 0.02, 0.10), ("V", 0.035, 0.12), ("F", 0.01, 0.045)])
def test_ectopic_beats_are_the_minority_that_they_are_in_patients(records, name, low, high):
    shares = [np.mean(record.classes == name) for record in records.values()]
    assert low <= min(shares) < max(shares) <= high


@pytest.mark.parametrize(("minutes", "seed"), [(0.5, 3), (2.0, 4)])
def test_short_records_hold_all_classes(tmp_path, minutes, seed):
    write_database(tmp_path, seed, minutes)
    for fold in (SYNTHETIC.ds1, SYNTHETIC.ds2):
        symbols = {symbol for name in fold for symbol in wfdb.rdann(str(tmp_path / name), "atr").symbol}
        assert symbols >= set("NAVF/Q")


def test_patients_differ_in_rate_and_amplitude(records):
    rates = [60 * FS / record.normal_rr for record in records.values()]
    heights = [np.median(record.complexes[record.classes == "N", REACH]) for record in records.values()]
    assert max(rates) - min(rates) > 20
    assert max(heights) > 1.5 * min(heights)


def test_annotations_sit_on_the_main_deflection(records):
    for name, record in records.items():
        offset = np.abs(np.abs(record.complexes).argmax(axis=1) - REACH) / FS
        assert np.mean(offset <= 0.05) > 0.98, name
        assert np.median(offset[record.classes == "N"]) <= 2 / FS, name


def test_supraventricular_beats_are_early_and_narrow(records):
    for name, record in records.items():
        before, after = record.around("S")
        assert np.mean(before < 0.9) > 0.95, name
        assert np.median(before + after) < 1.93, f"the pause of {name} is compensatory"
        assert np.median(record.widths("S")) < 1.15 * np.median(record.widths("N")), name


def test_ventricular_beats_are_early_wide_and_followed_by_a_full_pause(records):
    for name, record in records.items():
        before, after = record.around("V")
        assert (before < 0.9).all(), name
        assert (after > 1).all(), name
        assert np.median(before + after) == pytest.approx(2, abs=0.06), name
        factor = 1.25 if "N" in record.symbols else 1.1
        assert np.median(record.widths("V")) > factor * np.median(record.widths("N")), name


def test_fusion_beats_lie_between_normal_and_ventricular(records):
    for name, record in records.items():
        if np.sum(record.classes == "F") < FEW:
            continue
        normal, fused, ventricular = (record.complexes[record.classes == c].mean(axis=0) for c in "NFV")
        axis = ventricular - normal
        assert 0.25 < (fused - normal) @ axis / (axis @ axis) < 0.8, name
        before, after = record.around("F")
        assert 0.88 < np.median(before) < 1.02, name
        assert np.median(before + after) == pytest.approx(2, abs=0.08), name


def test_paced_beats_are_late_wide_and_begin_with_a_spike(records):
    for name in ("s01", "s06", "s12"):
        record = records[name]
        paced = record.symbols == "/"
        late = (np.diff(record.samples) / record.normal_rr)[np.flatnonzero(paced) - 1]
        assert np.median(late) > 1.05
        steepest = np.abs(np.diff(record.complexes, axis=1)).max(axis=1)
        assert np.median(steepest[paced]) > 1.5 * np.median(steepest[record.classes == "V"])


@pytest.mark.parametrize("minutes", [0.0, 0.49, -1.0, float("nan"), float("inf")])
def test_too_short_is_said_before_anything_is_written(tmp_path, minutes):
    with pytest.raises(ValueError, match=f"minutes is {minutes}.*0.5"):
        write_database(tmp_path, SEED, minutes)
    assert list(tmp_path.iterdir()) == []
