import numpy as np
import pytest
import wfdb

from stages.ecg import aami
from stages.ecg.databases import SYNTHETIC
from stages.ecg.rhythm import rr_intervals
from stages.ecg.synthetic import write_database


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    write_database(folder, seed=3, minutes=3.0)
    return folder


@pytest.fixture(scope="module")
def beats(database):
    """Of each record: MLII in mV, fiducials and symbols of the beats, RR intervals."""
    read = {}
    for record in SYNTHETIC.records:
        signal = wfdb.rdrecord(str(database / record), channel_names=["MLII"]).p_signal[:, 0]
        annotation = wfdb.rdann(str(database / record), "atr")
        chosen = aami.is_beat(annotation.symbol)
        samples = np.asarray(annotation.sample)[chosen]
        read[record] = signal, samples, np.array(annotation.symbol)[chosen], rr_intervals(samples, 360)
    return read


def of_class(symbols, name):
    return np.isin(symbols, list(aami.SYMBOLS_OF_CLASS[name]))


def width(signal, sample):
    """Time within 120 ms of the fiducial that is spent beyond half of the largest deflection, samples."""
    around = np.abs(signal[max(0, sample - 43) : sample + 44] - np.median(signal))
    return int((around > around.max() / 2).sum())


def windows(signal, samples):
    inside = samples[(samples > 60) & (samples < len(signal) - 60)]
    return np.array([signal[sample - 50 : sample + 50] - signal[sample - 50 : sample + 50].mean() for sample in inside])


def test_the_files_are_those_of_the_database(database):
    assert sorted(path.name for path in database.iterdir()) == list(SYNTHETIC.files)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        write_database(tmp_path / name, seed=seed, minutes=0.5)
    for file in SYNTHETIC.files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a" / "s01.dat").read_bytes() != (tmp_path / "c" / "s01.dat").read_bytes()


def test_every_record_reads_like_one_of_mitdb_and_is_labelled(database):
    for record in SYNTHETIC.records:
        header = wfdb.rdheader(str(database / record))
        assert header.fs == 360
        assert header.sig_name == ["MLII", "V1"]
        assert header.adc_gain == [200.0, 200.0]
        assert header.sig_len == 3 * 60 * 360
        assert any("SYNTHETIC" in comment for comment in header.comments)


def test_all_classes_are_in_both_sets_and_ectopic_ones_in_every_patient(beats):
    for records in (SYNTHETIC.ds1, SYNTHETIC.ds2):
        assert set(np.concatenate([aami.class_indices(beats[record][2]) for record in records])) == set(range(5))
    for record, (_, _, symbols, _) in beats.items():
        assert all(of_class(symbols, name).any() for name in "SVF"), record


def test_annotations_sit_on_the_main_deflection(beats):
    for record, (signal, samples, _, _) in beats.items():
        peaks = [sample - 36 + np.abs(signal[sample - 36 : sample + 37]).argmax() for sample in samples[1:-1]]
        assert np.mean(np.abs(np.array(peaks) - samples[1:-1]) <= 18) > 0.9, record


def test_ectopic_beats_are_premature_and_ventricular_ones_fully_compensated(beats):
    early, pause = {"S": [], "V": []}, {"S": [], "V": []}
    for _, _, symbols, rr in beats.values():
        normal = of_class(symbols, "N")
        usual = rr.loc[normal & np.roll(normal, 1) & ~rr["rr_imputed"], "rr_pre_s"].median()
        for name in "SV":
            chosen = of_class(symbols, name) & ~rr["rr_imputed"]
            early[name] += list(rr.loc[chosen, "rr_pre_s"] / usual)
            pause[name] += list((rr.loc[chosen, "rr_pre_s"] + rr.loc[chosen, "rr_post_s"]) / usual)
    for name in "SV":
        assert np.mean(np.array(early[name]) < 0.9) > 0.9, name
    assert np.median(pause["V"]) == pytest.approx(2, abs=0.15)
    assert np.median(pause["S"]) < np.median(pause["V"])


def test_ventricular_beats_are_wide_and_supraventricular_ones_as_narrow_as_normal_ones(beats):
    found = {name: [] for name in "NSV"}
    for signal, samples, symbols, _ in beats.values():
        for name in found:
            found[name].append(np.median([width(signal, sample) for sample in samples[of_class(symbols, name)]]))
    assert np.median(np.array(found["V"]) / np.array(found["N"])) > 1.3
    assert np.median(np.array(found["S"]) / np.array(found["N"])) == pytest.approx(1, abs=0.15)


def test_fusion_beats_lie_between_normal_and_ventricular_ones(beats):
    nearer = []
    for signal, samples, symbols, _ in beats.values():
        means = {name: windows(signal, samples[of_class(symbols, name)]).mean(axis=0) for name in "NVF"}
        apart = np.linalg.norm(means["N"] - means["V"])
        nearer.append(max(np.linalg.norm(means["F"] - means[name]) for name in "NV") < apart)
    assert np.mean(nearer) > 0.9


def test_other_annotations_are_there_too(database):
    marks = {symbol for record in SYNTHETIC.records for symbol in wfdb.rdann(str(database / record), "atr").symbol}
    assert {"+", "~"} <= marks


def test_a_record_too_short_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"minutes is 0\.1: a synthetic record lasts at least 0\.5 minutes"):
        write_database(tmp_path, seed=1, minutes=0.1)
