"""How an exported network is compared with Keras; the network here is made up."""

import numpy as np
import pandas as pd
import pytest

from stages import export
from stages.ecg import aami
from stages.ecg.beat_format import FEATURES
from stages.ecg.beatset import BeatSet
from stages.nets.classifying import Classifier

ABOUT = {
    "classes": list(aami.CLASSES),
    "adaptation": {"n_neighbors": None, "prior_strength": None, "prevalence_of_s": 0.02, "past_only": False},
}
BEATS = 50


def always_n(runs):
    def run(signals, rhythm):
        runs.append(len(signals))
        return np.tile(np.array([0.6, 0.1, 0.1, 0.1, 0.1], dtype="f4"), (len(signals), 1))

    return Classifier(run, ABOUT)


def test_speed_is_that_of_the_network_alone(monkeypatch):
    monkeypatch.setattr(export, "TIMED_BEATS", 40)
    monkeypatch.setattr(export, "TIMED_ALONE", 3)
    monkeypatch.setattr(export.time, "perf_counter", iter(np.arange(0.0, 100.0, 0.5)).__next__)
    columns = dict.fromkeys(FEATURES, 0.0)
    table = pd.DataFrame({"record": ["a", "b"] * (BEATS // 2), "aami": "N", **columns})
    beats = BeatSet(np.zeros((BEATS, 20, 2), dtype="f4"), table, None)
    runs = []
    comparison = export.compared(always_n(runs), beats, np.tile(np.eye(5, dtype="f4")[0], (BEATS, 1)))
    assert runs == [25, 25, 40, 1, 1, 1]
    assert comparison["beats_per_second"] == 80
    assert comparison["latency_ms"] == 500
    assert comparison["agreement"] == 1
    assert comparison["largest_difference"] == pytest.approx(0.4)
