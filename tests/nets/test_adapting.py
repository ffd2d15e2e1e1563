import numpy as np
import pytest

from stages.nets.adapting import adapt_prevalence

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
    truth, given = calibrated(share, 2000)
    adapted = adapt_prevalence(given, np.zeros(2000), PREVALENCE, 100)
    before, after = (np.mean((p[:, 1] > p[:, 0]) == truth) for p in (given, adapted))
    assert after > before + 0.05
    assert adapted[:, 1].sum() / 0.9 / 2000 == pytest.approx(share, abs=0.05)


def test_a_patient_like_those_of_the_training_stays_nearly_as_given():
    _, given = calibrated(PREVALENCE, 5000)
    adapted = adapt_prevalence(given, np.zeros(5000), PREVALENCE, 1000)
    assert np.mean(adapted.argmax(axis=1) != given.argmax(axis=1)) < 0.005


def test_only_n_and_s_are_divided_anew():
    _, given = calibrated(0.5, 500)
    adapted = adapt_prevalence(given, np.zeros(500), PREVALENCE, 100)
    np.testing.assert_allclose(adapted[:, 2:], given[:, 2:], rtol=1e-6)
    np.testing.assert_allclose(adapted[:, :2].sum(axis=1), 0.9, rtol=1e-6)


def test_each_recording_is_on_its_own():
    _, many = calibrated(0.7, 400, seed=1)
    _, few = calibrated(0.01, 300, seed=2)
    records = np.array(["a"] * 400 + ["b"] * 300)
    shuffled = np.random.default_rng(3).permutation(700)
    together = adapt_prevalence(np.concatenate([many, few])[shuffled], records[shuffled], PREVALENCE, 100)
    apart = [adapt_prevalence(p, np.zeros(len(p)), PREVALENCE, 100) for p in (many, few)]
    np.testing.assert_allclose(together, np.concatenate(apart)[shuffled], rtol=1e-5)


def test_a_strong_prior_changes_nothing():
    _, given = calibrated(0.7, 400)
    np.testing.assert_allclose(adapt_prevalence(given, np.zeros(400), PREVALENCE, 1e9), given, rtol=1e-3)


def test_certain_beats_and_beats_of_no_doubt_stay():
    given = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], dtype=float)
    np.testing.assert_array_equal(adapt_prevalence(given, np.zeros(3), PREVALENCE, 10), given)
