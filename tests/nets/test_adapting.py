import numpy as np
import pytest

from stages.nets.adapting import (
    Adaptation,
    Adapter,
    adapt_prior,
    fit_temperature,
    label_propagation,
    morphology_and_rhythm,
    nearest_neighbours,
    normalised_morphology,
    propagate_classes,
    scale_confidence,
)

PREVALENCE = 0.02


def calibrated(share_of_s, count, seed=0):
    """Truth and calibrated probabilities of a network trained at 2 % S, for a patient with another share of S."""
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < share_of_s
    evidence = rng.normal(np.where(truth, 1.5, -1.5), 1)  # log likelihood ratio 3 * evidence
    odds = np.exp(3 * evidence) * PREVALENCE / (1 - PREVALENCE)
    probabilities = np.zeros((count, 5))
    probabilities[:, 1] = 0.9 * odds / (1 + odds)
    probabilities[:, 0] = 0.9 - probabilities[:, 1]
    probabilities[:, 2] = 0.1
    return truth, probabilities


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_patient_with_many_s_beats_is_believed(share):
    truth, probabilities = calibrated(share, 2000)
    adapted = adapt_prior(probabilities, np.zeros(2000), PREVALENCE, 100)
    before, after = (np.mean((p[:, 1] > p[:, 0]) == truth) for p in (probabilities, adapted))
    assert after > before + 0.05
    assert adapted[:, 1].sum() / 0.9 / 2000 == pytest.approx(share, abs=0.05)


def test_a_patient_like_those_of_the_training_stays_nearly_as_given():
    _, probabilities = calibrated(PREVALENCE, 5000)
    adapted = adapt_prior(probabilities, np.zeros(5000), PREVALENCE, 1000)
    assert np.mean(adapted.argmax(axis=1) != probabilities.argmax(axis=1)) < 0.005


def test_only_n_and_s_are_divided_anew():
    _, probabilities = calibrated(0.5, 500)
    adapted = adapt_prior(probabilities, np.zeros(500), PREVALENCE, 100)
    np.testing.assert_allclose(adapted[:, 2:], probabilities[:, 2:], rtol=1e-6)
    np.testing.assert_allclose(adapted[:, :2].sum(axis=1), 0.9, rtol=1e-6)


def test_each_recording_is_on_its_own():
    _, many = calibrated(0.7, 400, seed=1)
    _, few = calibrated(0.01, 300, seed=2)
    records = np.array(["a"] * 400 + ["b"] * 300)
    shuffled = np.random.default_rng(3).permutation(700)
    together = adapt_prior(np.concatenate([many, few])[shuffled], records[shuffled], PREVALENCE, 100)
    apart = [adapt_prior(p, np.zeros(len(p)), PREVALENCE, 100) for p in (many, few)]
    np.testing.assert_allclose(together, np.concatenate(apart)[shuffled], rtol=1e-5)


def test_a_strong_prior_changes_nothing():
    _, probabilities = calibrated(0.7, 400)
    np.testing.assert_allclose(adapt_prior(probabilities, np.zeros(400), PREVALENCE, 1e9), probabilities, rtol=1e-3)


def test_certain_beats_and_beats_of_no_doubt_stay():
    probabilities = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], dtype=float)
    np.testing.assert_array_equal(adapt_prior(probabilities, np.zeros(3), PREVALENCE, 10), probabilities)


def test_of_the_past_only_earlier_beats_count():
    truth, many = calibrated(0.7, 1500)
    first = adapt_prior(many[:500], np.zeros(500), PREVALENCE, 100, past_only=True)
    adapted_all = adapt_prior(many, np.zeros(1500), PREVALENCE, 100, past_only=True)
    np.testing.assert_array_equal(adapted_all[:500], first)
    np.testing.assert_allclose(adapted_all[0], many[0])
    right = [np.mean((p[500:, 1] > p[500:, 0]) == truth[500:]) for p in (many, adapted_all)]
    assert right[1] > right[0] + 0.05


def shapes(kinds, seed=0):
    """Noisy windows, one wave form a kind, of any amplitude."""
    rng = np.random.default_rng(seed)
    waves = np.random.default_rng(9).normal(size=(max(kinds) + 1, 60))
    signals = waves[kinds] * rng.uniform(0.5, 2, (len(kinds), 1)) + rng.normal(0, 0.2, (len(kinds), 60))
    return signals[:, :, None].astype("f4")


def test_the_nearest_are_those_of_the_same_shape_and_recording():
    kinds = np.random.default_rng(1).integers(0, 3, 300)
    records = np.repeat(["a", "b"], 150)
    nearest = nearest_neighbours(normalised_morphology(shapes(kinds)), records, 15)
    assert nearest.shape == (300, 15)
    assert (kinds[nearest] == kinds[:, None]).all()
    assert (records[nearest] == records[:, None]).all()
    assert (nearest != np.arange(300)[:, None]).all()
    assert all(len(set(row)) == 15 for row in nearest)


def test_the_nearest_of_the_past_lie_before():
    nearest = nearest_neighbours(
        normalised_morphology(shapes(np.zeros(50, dtype=int))), np.zeros(50), 5, past_only=True
    )
    assert (nearest[0] == 0).all()
    assert sorted(nearest[3]) == [0, 1, 2, 3, 3]
    assert (nearest[5:] < np.arange(5, 50)[:, None]).all()


def test_many_beats_are_searched_in_parts_with_the_same_result(monkeypatch):
    signals = normalised_morphology(shapes(np.random.default_rng(2).integers(0, 4, 100)))
    at_once = nearest_neighbours(signals, np.zeros(100), 7)
    monkeypatch.setattr("stages.nets.adapting.ROWS_AT_ONCE", 33)
    np.testing.assert_array_equal(np.sort(nearest_neighbours(signals, np.zeros(100), 7)), np.sort(at_once))


def test_a_recording_of_one_beat_and_flat_beats_have_themselves_and_each_other():
    assert nearest_neighbours(normalised_morphology(shapes([0])), ["x"], 3).tolist() == [[0, 0, 0]]
    assert sorted(nearest_neighbours(normalised_morphology(np.zeros((3, 60, 1), "f4")), ["x"] * 3, 2)[1]) == [0, 2]


def test_the_nearest_are_those_of_the_smallest_distance():
    features = np.random.default_rng(4).normal(size=(200, 6)) * [1, 1, 1, 1, 0.1, 3]
    distances = np.linalg.norm(features[:, None] - features, axis=2) + np.diag(np.full(200, np.inf))
    nearest = nearest_neighbours(features, np.zeros(200), 5)
    np.testing.assert_array_equal(np.sort(nearest), np.sort(distances.argsort(axis=1)[:, :5]))


def test_neighbours_have_morphology_and_rhythm_in_common():
    looks = np.random.default_rng(6).integers(0, 2, 200)
    early = np.arange(200) % 2
    rhythm = np.where(early[:, None], -0.4, 0.0) + np.random.default_rng(7).normal(0, 0.02, (200, 6))
    nearest = nearest_neighbours(morphology_and_rhythm(shapes(looks), rhythm.astype("f4")), np.zeros(200), 5)
    assert (looks[nearest] == looks[:, None]).all()
    assert (early[nearest] == early[:, None]).all()


def everyone_else(count):
    return np.array([[row for row in range(count) if row != beat] for beat in range(count)])


def test_what_is_propagated_keeps_its_sum_and_ends_between_its_own_value_and_the_mean():
    values = np.array([1.0, 0.0, 0.0, 0.0])
    spread = label_propagation(values, everyone_else(4), 0.98, 100)
    assert spread.sum() == pytest.approx(1)
    assert 0.25 < spread[0] < 0.35
    np.testing.assert_array_equal(
        label_propagation(np.stack([values, values], axis=1), everyone_else(4), 0.98, 100)[:, 1], spread
    )


def test_nothing_passes_between_beats_that_are_no_neighbours():
    apart = np.array([[1], [0], [3], [2]])
    np.testing.assert_array_equal(label_propagation(np.array([0.9, 0.1, 0.0, 0.0]), apart, 0.98, 100)[2:], 0)


def past_adapter(signals, rhythm):
    how = Adaptation(n_neighbors=3, prior_strength=None, prevalence_of_s=PREVALENCE, past_only=True)
    return Adapter(how, signals, rhythm, np.zeros(len(signals)))


def test_of_the_past_nothing_reaches_back():
    rng = np.random.default_rng(5)
    signals, rhythm = rng.normal(size=(60, 30, 1)).astype("f4"), rng.normal(size=(60, 6)).astype("f4")
    probabilities = rng.dirichlet(np.ones(5), 60)
    adapted_all, first = (
        past_adapter(signals, rhythm)(probabilities),
        past_adapter(signals[:40], rhythm[:40])(probabilities[:40]),
    )
    np.testing.assert_allclose(adapted_all[:40], first, rtol=1e-6)


def test_of_the_past_each_kind_keeps_its_class_and_a_mistake_is_outvoted():
    kinds = np.random.default_rng(3).permutation(np.repeat([0, 1], [90, 30]))
    probabilities = np.array([[0.9, 0.0, 0.1, 0, 0], [0.1, 0.0, 0.9, 0, 0]])[kinds]
    last = np.flatnonzero(kinds == 1)[-1]
    probabilities[last] = [0.6, 0.0, 0.4, 0, 0]
    adapted = past_adapter(shapes(kinds), np.zeros((120, 6), "f4"))(probabilities)
    expected = np.where(kinds == 1, 2, 0)
    first = np.flatnonzero(kinds == 1)[:3]  # may have nothing of their own kind before them
    np.testing.assert_array_equal(np.delete(adapted.argmax(axis=1), first), np.delete(expected, first))


def test_beats_of_one_shape_outvote_a_mistake_about_shape():
    probabilities = np.tile([0.05, 0.0, 0.9, 0.05, 0.0], (16, 1))
    probabilities[3] = [0.9, 0.0, 0.1, 0.0, 0.0]
    propagated = propagate_classes(probabilities, everyone_else(16), everyone_else(16))
    assert propagated[3].argmax() == 2
    np.testing.assert_allclose(propagated.sum(axis=1), 1)


def test_n_or_s_is_settled_among_beats_of_one_rhythm_not_of_one_kind():
    early, usual = [0.4, 0.6, 0, 0, 0], [0.9, 0.1, 0, 0, 0]
    probabilities = np.array([early, early, [0.6, 0.4, 0, 0, 0], usual, usual, usual])
    by_morphology = everyone_else(6)
    by_rhythm = np.array([[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]])
    propagated = propagate_classes(probabilities, by_morphology, by_rhythm)
    assert propagated.argmax(axis=1).tolist() == [1, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(propagated[3:], probabilities[3:])


def test_the_temperature_undoes_confidence_that_is_not_earned():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.0, (20000, 5))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((20000, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    boastful = scale_confidence(honest, 1 / 2)
    assert fit_temperature(boastful, labels) == pytest.approx(2, rel=0.05)
    np.testing.assert_allclose(scale_confidence(boastful, 2), honest, rtol=1e-6)
    np.testing.assert_array_equal(boastful.argmax(axis=1), honest.argmax(axis=1))


def test_an_adapter_does_each_step_that_is_asked_for():
    rng = np.random.default_rng(1)
    kinds = rng.integers(0, 2, 400)
    signals, rhythm, records = shapes(kinds), rng.normal(size=(400, 6)).astype("f4"), np.zeros(400)
    _, probabilities = calibrated(0.5, 400)
    nothing = Adaptation(n_neighbors=None, prior_strength=None, prevalence_of_s=PREVALENCE, past_only=False)
    np.testing.assert_allclose(Adapter(nothing, signals, rhythm, records)(probabilities), probabilities, rtol=1e-6)
    all_steps = Adaptation(
        n_neighbors=15, prior_strength=100, prevalence_of_s=PREVALENCE, past_only=False, temperature=2.0
    )
    by_morphology = nearest_neighbours(morphology_and_rhythm(signals, rhythm), records, 15)
    by_rhythm = nearest_neighbours(rhythm.astype(float), records, 15)
    expected = propagate_classes(probabilities, by_morphology, by_rhythm)
    expected = scale_confidence(adapt_prior(expected, records, PREVALENCE, 100), 2.0)
    np.testing.assert_allclose(Adapter(all_steps, signals, rhythm, records)(probabilities), expected, rtol=1e-6)
