from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from wfdb.processing import compare_annotations

from stages.ecg.aami import class_indices
from stages.ecg.annotations import Annotations, read_annotations
from stages.ecg.databases import MITDB
from stages.ecg.recordings import read_recording
from stages.inference.annotated_records import ec57_views, read_references, write_predicted
from stages.inference.detector import detector_counts
from tests.made_up import rhythm


def of_record(folder, record):
    """The beats of a record, as the table of a test fold lists them, with their true classes."""
    recording = read_recording(folder, record, ("MLII", "V5"))
    table = pd.DataFrame({"record": record, "sample": recording.samples, "symbol": recording.symbols})
    return table.assign(label=class_indices(table["symbol"]))


def view(views, convention, period, kind="gross"):
    """The row of one view."""
    return views.set_index(["convention", "period", "kind"]).loc[(convention, period, kind)]


def test_a_fold_of_single_beats_is_compared_with_those_alone(synthetic_records, tmp_path):
    beats = of_record(synthetic_records, "s09").iloc[::3]
    references = read_references(synthetic_records, beats)
    write_predicted(tmp_path / "cnn", "cnn", beats, beats["label"].to_numpy(), references)
    views, table = ec57_views(references, tmp_path / "cnn", "cnn", 0.0)
    from_start = view(views, "e_j_in_n", "from_start")
    assert from_start["n_scored"] == len(beats)
    assert (from_start["qrs_se"], from_start["qrs_ppv"]) == (1.0, 1.0)
    assert len(table) == 4


def test_the_folder_of_an_earlier_model_is_replaced(synthetic_records, tmp_path):
    beats = of_record(synthetic_records, "s09")
    (tmp_path / "cnn").mkdir()
    (tmp_path / "cnn" / "s99.cnn").write_bytes(b"")
    references = read_references(synthetic_records, beats)
    write_predicted(tmp_path / "cnn", "cnn", beats, beats["label"].to_numpy(), references)
    assert sorted(path.name for path in (tmp_path / "cnn").iterdir()) == ["s09.cnn", "s09.ref"]
    assert not list(tmp_path.glob(".*"))


def as_written(references, folder):
    """The references as any other program reads them from the files beside the predictions."""
    return {
        record: replace(reference, annotations=read_annotations(folder, record, "ref"))
        for record, reference in references.items()
    }


def test_the_reference_beside_the_predictions_gives_the_same_counts(synthetic_records, tmp_path):
    beats = pd.concat([of_record(synthetic_records, record).iloc[::4] for record in ("s09", "s10")], ignore_index=True)
    references = read_references(synthetic_records, beats)
    called = np.random.default_rng(0).integers(0, 5, len(beats))
    write_predicted(tmp_path / "cnn", "cnn", beats, called, references)
    views, table = ec57_views(references, tmp_path / "cnn", "cnn", 10.0)
    again, same = ec57_views(as_written(references, tmp_path / "cnn"), tmp_path / "cnn", "cnn", 10.0)
    pd.testing.assert_frame_equal(again, views)
    pd.testing.assert_frame_equal(same, table)


@pytest.mark.mirror
def test_flutter_and_noise_are_in_the_reference_beside_the_predictions(real_records, tmp_path):
    beats = pd.concat([of_record(real_records, record).iloc[::10] for record in ("105", "207")], ignore_index=True)
    references = read_references(real_records, beats)
    write_predicted(tmp_path / "cnn", "cnn", beats, beats["label"].to_numpy(), references)
    for record, reference in as_written(references, tmp_path / "cnn").items():
        for name in ("samples", "symbols", "subtypes"):
            written, read = getattr(references[record].annotations, name), getattr(reference.annotations, name)
            np.testing.assert_array_equal(written, read)


def test_what_the_detector_finds_in_flutter_counts_for_nothing():
    signal, beats = rhythm(60, early_s=0)
    outside = beats[(beats < 20 * 360) | (beats > 30 * 360)]
    samples = np.sort(np.append(outside, [20 * 360 - 90, 30 * 360 + 90]))
    symbols = np.where(np.isin(samples, outside), "N", np.where(samples < 25 * 360, "[", "]"))
    reference = Annotations.of_beats(samples, symbols)
    counts = detector_counts(reference, signal, 360, 0.0)
    assert counts.to_numpy().sum() == counts.loc["N", "n"] == len(outside)
    without = reference.take(symbols == "N")
    assert detector_counts(without, signal, 360, 0.0).loc["O", "n"] == len(beats) - len(outside)


@pytest.mark.mirror
def test_true_classes_written_as_predictions_are_found_to_the_last_beat(real_records, tmp_path):
    beats = pd.concat([of_record(real_records, record) for record in MITDB.ds2], ignore_index=True)
    references = read_references(real_records, beats)
    write_predicted(tmp_path / "cnn", "cnn", beats, beats["label"].to_numpy(), references)
    views, _ = ec57_views(references, tmp_path / "cnn", "cnn", 300.0)
    after_learning, from_start = (view(views, "e_j_in_n", period) for period in ("after_learning", "from_start"))
    assert after_learning["n_scored"] == 41515
    assert from_start["n_scored"] == 49712
    assert (after_learning["veb_tp"], after_learning["sveb_tp"]) == (2686, 1608)
    assert (from_start["veb_tp"], from_start["sveb_tp"]) == (3221, 1837)
    for kind in ("veb", "sveb"):
        assert [after_learning[f"{kind}_{figure}"] for figure in ("fn", "fp", "se")] == [0, 0, 1.0]
    # Filed as bxb files them, the escape beats e and j are missed: they were called N.
    escapes = int(beats["symbol"].isin(["e", "j"]).sum())
    assert view(views, "e_j_in_s", "from_start")["sveb_fn"] == escapes > 0

    for record, annotated in beats.groupby("record"):
        read = read_annotations(tmp_path / "cnn", str(record), "cnn")
        matched = compare_annotations(annotated["sample"].to_numpy(), read.samples, 1)
        assert (matched.tp, matched.fp, matched.fn) == (len(annotated), 0, 0)


@pytest.mark.mirror
def test_beats_found_in_the_flutter_of_record_207_count_for_nothing(real_records, tmp_path):
    beats = of_record(real_records, "207")
    flutter = read_annotations(real_records, "207", "atr")
    waves = flutter.samples[flutter.symbols == "!"]
    with_waves = pd.concat([beats, pd.DataFrame({"record": "207", "sample": waves, "label": 2})], ignore_index=True)
    references = read_references(real_records, beats)
    write_predicted(tmp_path / "cnn", "cnn", with_waves, with_waves["label"].to_numpy(), references)
    views, table = ec57_views(references, tmp_path / "cnn", "cnn", 0.0)
    assert len(waves) == 472
    assert view(views, "e_j_in_n", "from_start")["n_scored"] == len(beats)
    assert np.all(table[["On", "Os", "Ov"]] == 0)
