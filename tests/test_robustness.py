"""How noise is mixed in, classified and scored; the records and noises here are SYNTHETIC."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from stages import robustness
from stages.config import paths
from stages.ecg import aami
from stages.ecg.annotations import Annotations
from stages.ecg.databases import NSTDB
from stages.ecg.recordings import Recording
from stages.ecg.synthetic import write_noises
from stages.nets.classifying import Classifier
from tests.made_up import FS, rhythm

START_S = 20.0
ABOUT = {
    "classes": list(aami.CLASSES),
    "adaptation": {"n_neighbors": None, "prior_strength": None, "prevalence_of_s": 0.02, "past_only": False},
}


def recording(seconds=60):
    signal, beats = rhythm(seconds, early_s=0)
    symbols = np.where(np.arange(len(beats)) % 10 == 9, "V", "N")
    return Recording("s01", "MLII", FS, signal, beats, symbols)


def always(label):
    def run(signals, rhythm):
        return np.eye(len(aami.CLASSES), dtype=np.float32)[np.full(len(signals), aami.CLASSES.index(label))]

    return Classifier(run, ABOUT)


@pytest.fixture
def noises(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "NOISE", tmp_path)
    write_noises(tmp_path, seed=1, minutes=0.5)


def test_every_noise_comes_at_every_level_after_the_clean_signal(noises):
    made = list(robustness.conditions(recording(), (24.0, -6.0), START_S))
    assert [(noise, level) for noise, level, _ in made] == [
        ("none", np.inf),
        *((name, level) for name in NSTDB.records for level in (24.0, -6.0)),
    ]
    clean, start = recording().signal, round(START_S * FS)
    np.testing.assert_array_equal(made[0][2].signal, clean)
    for _, level, noisy in made[1:]:
        np.testing.assert_array_equal(noisy.signal[:start], clean[:start])
        assert ((noisy.signal[start:] - clean[start:]).std() > 0.3) == (level < 0)


def test_the_gate_leaves_beats_unclassified_and_loses_none(beat_format):
    made = recording()
    signal = made.signal.copy()
    signal[round(40 * FS) : round(50 * FS)] = 0.5  # the lead is off
    counted = robustness.count_pairs(
        replace(made, signal=signal), beat_format, {"cnn": always("N"), "rnn": always("V")}, START_S
    )
    assert set(counted["model"]) == {"cnn", "rnn", "ensemble"}
    scored = int(np.sum(made.samples >= START_S * FS))
    assert set(counted.groupby(["model", "gate"])["beats"].sum()) == {scored}
    unclassified = counted[counted["predicted"] == robustness.NOT_CLASSIFIED]
    assert unclassified["gate"].all()
    assert set(unclassified.groupby("model")["beats"].sum().between(9, 12)) == {True}
    classified = counted[counted["predicted"] != robustness.NOT_CLASSIFIED]
    assert set(classified[classified["model"] == "rnn"]["predicted"]) == {aami.CLASSES.index("V")}


def test_scores_are_of_what_was_classified():
    n, s, v = (aami.CLASSES.index(name) for name in "NSV")
    rows = [
        ("em", 6.0, "cnn", False, n, n, 60),
        ("em", 6.0, "cnn", False, v, v, 30),
        ("em", 6.0, "cnn", False, s, n, 10),
        ("em", 6.0, "cnn", True, n, n, 40),
        ("em", 6.0, "cnn", True, v, v, 30),
        ("em", 6.0, "cnn", True, n, robustness.NOT_CLASSIFIED, 20),
        ("em", 6.0, "cnn", True, s, robustness.NOT_CLASSIFIED, 10),
    ]
    columns = ["noise", "snr_db", "model", "gate", "true", "predicted", "beats"]
    # Records come one after the other, so that a pair of classes has several rows.
    table = robustness.class_scores(pd.DataFrame(rows * 2, columns=columns))
    ungated, gated = table.to_dict("records")
    assert (ungated["classified"], ungated["accuracy"], ungated["f1_S"], ungated["f1_V"]) == (1, 0.9, 0, 1)
    assert ungated["macro_f1_nsvf"] == pytest.approx((120 / 130 + 1) / 4)
    assert (gated["classified"], gated["accuracy"]) == (0.7, 1)


def test_nothing_classified_is_no_score():
    rows = [("ma", -6.0, "rnn", True, 0, robustness.NOT_CLASSIFIED, 5)]
    columns = ["noise", "snr_db", "model", "gate", "true", "predicted", "beats"]
    table = robustness.class_scores(pd.DataFrame(rows, columns=columns))
    assert table["classified"].tolist() == [0]
    assert table["accuracy"].isna().all()
    assert robustness.mean_over_levels(table.assign(model="ensemble", gate=False)) == {"macro_f1_nsvf_ma": None}


def test_the_detector_is_scored_over_all_records():
    made = recording()
    reference = Annotations.of_beats(made.samples, made.symbols)
    counts = {("none", np.inf): robustness.detector_counts(reference, made.signal, FS, START_S)}
    lost = {("none", np.inf): robustness.detector_counts(reference, np.zeros_like(made.signal), FS, START_S)}
    assert robustness.detector_scores([counts]).to_dict("records") == [
        {"noise": "none", "snr_db": np.inf, "qrs_se": 1, "qrs_ppv": 1}
    ]
    both = robustness.detector_scores([counts, lost]).to_dict("records")[0]
    assert (both["qrs_se"], both["qrs_ppv"]) == (0.5, 1)


def test_the_headlines_are_of_the_ensemble_without_the_gate_over_all_levels():
    rows = [
        ("none", np.inf, "ensemble", False, 0.9),
        ("bw", 24.0, "ensemble", False, 0.7),
        ("bw", -6.0, "ensemble", False, 0.5),
        ("bw", -6.0, "ensemble", True, 0.1),
        ("em", 24.0, "ensemble", False, 0.4),
        ("em", 24.0, "cnn", False, 0.2),
    ]
    table = pd.DataFrame(rows, columns=["noise", "snr_db", "model", "gate", "macro_f1_nsvf"])
    assert robustness.mean_over_levels(table) == {"macro_f1_nsvf_bw": 0.6, "macro_f1_nsvf_em": 0.4}


def test_a_missing_network_says_what_to_do(noises, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MODELS", tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"cnn\.onnx is missing; run `dvc repro`"):
        robustness.classify_with_noise(SimpleNamespace(), tmp_path, "s01")
