import numpy as np
import pytest

from stages.ecg import aami
from stages.nets.augmentation import AMPLITUDES, WIDE, swap_templates

N, S, V, F, Q = range(5)


@pytest.fixture
def batch():
    """Beats of twenty patients, each with a median beat of its own, of all classes."""
    rng = np.random.default_rng(0)
    patient, labels = rng.integers(0, 20, 2000), rng.integers(0, 5, 2000)
    medians = rng.normal(size=(20, 30))
    difference = rng.normal(scale=0.1, size=(2000, 30)) + 2.0 * (labels == V)[:, None] * np.hanning(30)
    beat = medians[patient] + difference
    return np.stack([beat, difference], axis=2).astype(np.float32), labels, medians


def changed_by(before, after):
    return np.abs(before - after).max(axis=(1, 2)) > 1e-6


def run(signals, labels, share, seed=1):
    return swap_templates(signals, labels, share, np.random.default_rng(seed))


def test_v_beats_are_scaled_and_put_beside_the_median_beat_of_another(batch):
    signals, labels, medians = batch
    changed = run(signals, labels, 1.0)
    before, after = signals[labels == V], changed[labels == V]
    factors = (after[:, :, 0] * before[:, :, 0]).sum(axis=1) / (before[:, :, 0] ** 2).sum(axis=1)
    np.testing.assert_allclose(after[:, :, 0], factors[:, None] * before[:, :, 0], atol=1e-5)
    assert AMPLITUDES[0] <= factors.min() < 0.5
    assert 1.4 < factors.max() <= AMPLITUDES[1]
    beside = after[:, :, 0] - after[:, :, 1]
    nearest = np.abs(beside[:, None] - medians[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-5
    same = np.abs(beside - (before[:, :, 0] - before[:, :, 1])).max(axis=1) < 1e-5
    assert same.mean() < 0.1  # one in twenty by chance


def test_n_and_s_beats_keep_their_difference_from_a_median_beat_of_the_shape_of_a_v_beat(batch):
    signals, labels, _ = batch
    changed = run(signals, labels, 1.0)
    moved = changed_by(signals, changed) & np.isin(labels, (N, S))
    assert np.mean(moved[np.isin(labels, (N, S))]) == pytest.approx(WIDE, abs=0.05)
    np.testing.assert_allclose(changed[moved][:, :, 1], signals[moved][:, :, 1], atol=1e-5)
    shapes = signals[labels == V][:, :, 0]
    shapes = shapes / np.abs(shapes).max(axis=1, keepdims=True)
    median = changed[moved][:, :, 0] - changed[moved][:, :, 1]
    assert np.abs(median[:, None] - shapes[None]).max(axis=2).min(axis=1).max() < 1e-5


def test_f_and_q_beats_stay(batch):
    signals, labels, _ = batch
    changed = run(signals, labels, 1.0)
    np.testing.assert_allclose(changed[labels >= F], signals[labels >= F], atol=1e-6)


def test_the_share_is_that_of_the_v_beats(batch):
    signals, labels, _ = batch
    moved = changed_by(signals, run(signals, labels, 0.5))
    assert np.mean(moved[labels == V]) == pytest.approx(0.5, abs=0.06)
    assert np.mean(moved[labels == N]) == pytest.approx(0.5 * WIDE, abs=0.05)


def test_the_seed_decides_and_the_beats_given_stay(batch):
    signals, labels, _ = batch
    original = signals.copy()
    first, again, other = (run(signals, labels, 0.5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(signals, original)
    assert first.dtype == np.float32


def test_a_batch_without_v_beats_stays(batch):
    signals, labels, _ = batch
    without = labels != V
    np.testing.assert_allclose(run(signals[without], labels[without], 1.0), signals[without], atol=1e-6)


def test_windows_without_a_median_beat_stay(batch):
    signals, labels, _ = batch
    np.testing.assert_array_equal(run(signals[:, :, :1], labels, 1.0), signals[:, :, :1])


def test_a_flat_v_beat_is_not_blown_up():
    signals = np.full((40, 12, 2), 1e-3, dtype=np.float32)
    labels = np.tile([N, V], 20)
    assert np.abs(run(signals, labels, 1.0)).max() < 0.01


def test_classes_are_where_the_tests_take_them_to_be():
    assert aami.CLASSES == ("N", "S", "V", "F", "Q")
