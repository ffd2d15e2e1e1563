import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ecg.balancing import augment_beats, class_weights, draw_beats, robust_scale, smote_partners

LABELS = np.array([0] * 100 + [1] * 4 + [2] * 20 + [3] * 1)
USABLE = np.ones(len(LABELS), dtype=bool)


def drawn(method, ratio=0.5, labels=LABELS, usable=USABLE, seed=0):
    return draw_beats(labels, usable, method, ratio, np.random.default_rng(seed))


def counts(draws, labels=LABELS):
    return np.bincount(labels[draws["beat"]], minlength=5).tolist()


@pytest.mark.parametrize("method", ["none", "class_weight"])
def test_plain_draws_take_every_beat_once(method):
    assert sorted(drawn(method)["beat"]) == list(range(len(LABELS)))


@pytest.mark.parametrize("method", ["oversample", "smote", "augment"])
def test_rare_classes_are_brought_up_and_no_beat_is_lost(method):
    draws = drawn(method)
    assert counts(draws) == [100, 50, 50, 50, 0]
    assert set(draws["beat"]) == set(range(len(LABELS)))
    assert draws["extra"].sum() == 46 + 30 + 49


def test_undersampling_thins_the_large_classes_only():
    draws = drawn("undersample", ratio=0.1)
    assert counts(draws) == [10, 4, 10, 1, 0]
    assert draws["beat"].is_unique


def test_only_augmented_copies_are_altered():
    draws = drawn("augment")
    assert (draws["altered"] == draws["extra"]).all()
    assert not drawn("oversample")["altered"].any()


def test_unusable_beats_are_never_drawn():
    usable = USABLE.copy()
    usable[[0, 101, 124]] = False
    for method in ("none", "undersample", "oversample"):
        assert not set(drawn(method, usable=usable)["beat"]) & {0, 101, 124}


def test_smote_goes_towards_a_near_beat_of_the_same_class():
    signals = np.arange(len(LABELS), dtype=np.float32)[:, None, None] * np.ones((1, 3, 1), np.float32)
    rng = np.random.default_rng(1)
    draws = smote_partners(drawn("smote"), signals, LABELS, neighbours=2, rng=rng)
    extra = draws[draws["extra"]]
    assert (LABELS[extra["beat"]] == LABELS[extra["partner"]]).all()
    several = extra[LABELS[extra["beat"]] != 3]
    distance = (several["beat"] - several["partner"]).abs()
    assert distance.between(1, 2).all()
    assert several["mix"].between(0, 1).all()
    assert several["mix"].nunique() > 10
    alone = extra[LABELS[extra["beat"]] == 3]
    assert (alone["mix"] == 0).all()
    assert (draws.loc[~draws["extra"], "mix"] == 0).all()


def test_draws_follow_the_seed():
    assert drawn("oversample").equals(drawn("oversample"))
    assert not drawn("oversample").equals(drawn("oversample", seed=1))


def test_class_weights_are_inverse_up_to_the_floor():
    weights = class_weights(LABELS, ratio=0.1)
    assert weights[2] / weights[0] == pytest.approx(5)
    assert weights[1] / weights[0] == pytest.approx(10)  # 4 beats count as 10
    assert weights[LABELS].mean() == pytest.approx(1)


def test_robust_scale_ignores_outliers():
    rng = np.random.default_rng(2)
    features = np.stack([rng.normal(5, 2, 20000), np.full(20000, 3.0)], axis=1)
    features[:200, 0] = 1e6
    center, scale = robust_scale(features)
    assert center == pytest.approx([5, 3], abs=0.1)
    assert scale[0] == pytest.approx(2, abs=0.1)
    assert scale[1] > 0.5  # a constant feature is not divided by zero


def test_augmentation_changes_each_beat_in_its_own_way():
    signals = np.tile(np.sin(np.linspace(0, 6, 50, dtype=np.float32))[None, :, None], (8, 1, 2))
    altered = augment_beats(signals, np.random.default_rng(0), shift=3, scale=0.1, noise=0.02, wander=0.05)
    assert altered.shape == signals.shape
    assert altered.dtype == np.float32
    assert len({beat.tobytes() for beat in altered}) == 8
    assert np.abs(altered - signals).max() < 1.5


def test_augmentation_of_no_strength_changes_nothing():
    signals = np.random.default_rng(0).normal(size=(4, 30, 2)).astype(np.float32)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(augment_beats(signals, rng, shift=0, scale=0, noise=0, wander=0), signals)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=200), st.floats(0.05, 1))
def test_oversampling_reaches_its_ratio_for_any_mix(labels, ratio):
    labels = np.array(labels)
    usable = np.ones(len(labels), bool)
    counts = np.bincount(labels[drawn("oversample", ratio, labels, usable)["beat"]], minlength=5)
    before = np.bincount(labels, minlength=5)
    wanted = np.where(before > 0, np.maximum(before, round(ratio * before.max())), 0)
    np.testing.assert_array_equal(counts, wanted)
