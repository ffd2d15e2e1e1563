import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import bootstrap as scipy_bootstrap

from stages.scores import bootstrap, per_beat


def beats(seed=0, records=12, per_record=60, right=0.8):
    rng = np.random.default_rng(seed)
    truth = rng.choice(5, records * per_record, p=[0.7, 0.1, 0.1, 0.05, 0.05])
    predicted = np.where(rng.random(len(truth)) < right, truth, rng.integers(0, 5, len(truth)))
    return np.repeat([f"r{number:02d}" for number in range(records)], per_record), truth, predicted


def test_the_confusions_of_the_records_add_up():
    records, truth, predicted = beats()
    confusions = bootstrap.record_confusions(records, truth, predicted)
    assert confusions.shape == (12, 5, 5)
    np.testing.assert_array_equal(confusions.sum(axis=0), per_beat.confusion(truth, predicted))
    first = records == "r00"
    np.testing.assert_array_equal(confusions[0], per_beat.confusion(truth[first], predicted[first]))


@pytest.mark.parametrize("classes", ["all", "no Q", "N alone"])
def test_scores_of_a_confusion_are_the_plain_ones(classes):
    _, truth, predicted = beats()
    kept = {"all": truth < 5, "no Q": (truth < 4) & (predicted < 4), "N alone": (truth == 0) & (predicted == 0)}[
        classes
    ]
    truth, predicted = truth[kept], predicted[kept]
    scores = dict(
        zip(bootstrap.SCORES, bootstrap.scores_of(per_beat.confusion(truth, predicted).to_numpy()), strict=True)
    )
    expected = per_beat.beat_scores(truth, predicted)
    for name in ("accuracy", "macro_f1", "macro_f1_nsvf"):
        assert scores[name] == pytest.approx(expected[name])
    for name in "NSVFQ":
        f1 = expected[f"f1_{name}"]
        assert scores[f"f1_{name}"] == pytest.approx(np.nan if f1 is None else f1, nan_ok=True)


def test_intervals_hold_the_score_and_follow_the_seed():
    confusions = bootstrap.record_confusions(*beats())
    intervals = bootstrap.intervals(confusions, 500, seed=1)
    for name, score in zip(bootstrap.SCORES, bootstrap.scores_of(confusions.sum(axis=0)), strict=True):
        low, high, _ = intervals[name]
        assert low < score < high
    assert intervals == bootstrap.intervals(confusions, 500, seed=1)
    assert intervals != bootstrap.intervals(confusions, 500, seed=2)


def test_one_bad_record_in_ten_widens_the_interval_more_than_bad_beats_everywhere():
    truth = np.zeros(1000, int)
    records = np.repeat(np.arange(10), 100)
    one_record, everywhere = np.where(records == 3, 2, 0), np.where(np.arange(1000) % 10 == 3, 2, 0)
    wide, narrow = (
        np.diff(bootstrap.intervals(bootstrap.record_confusions(records, truth, p), 500, 0)["accuracy"][:2])[0]
        for p in (one_record, everywhere)
    )
    assert wide > 0.2
    assert narrow == pytest.approx(0, abs=1e-12)


def test_the_interval_of_a_mean_is_that_of_the_binomial():
    # 40 records of one beat each, 30 right: the resampled accuracy is Binomial(40, 0.75) / 40.
    predicted = np.where(np.arange(40) < 30, 0, 2)
    confusions = bootstrap.record_confusions(np.arange(40), np.zeros(40, int), predicted)
    low, high, _ = bootstrap.intervals(confusions, 5000, 0)["accuracy"]
    assert (low, high) == pytest.approx(binom.ppf([0.025, 0.975], 40, 0.75) / 40, abs=0.026)


def test_a_class_that_one_record_has_is_scored_where_that_record_was_drawn():
    # Ten records, one of them with ten V beats of which nine are found: no resample without it says anything of V.
    truth = np.repeat([0] * 9 + [2], 10)
    predicted = np.append(truth[:-1], 0)
    intervals = bootstrap.intervals(
        bootstrap.record_confusions(np.repeat(np.arange(10), 10), truth, predicted), 2000, 0
    )
    assert intervals["f1_V"].defined == pytest.approx(1 - 0.9**10, abs=0.04)
    assert intervals["f1_V"][:2] == pytest.approx((18 / 19, 18 / 19))
    assert intervals["f1_F"][2] == 0
    assert np.isnan(intervals["f1_F"][:2]).all()
    assert intervals["accuracy"].defined == 1


def test_intervals_are_those_of_scipy():
    confusions = bootstrap.record_confusions(*beats())
    expected = scipy_bootstrap(
        (np.arange(12),),
        lambda rows, axis: bootstrap.scores_of(confusions[rows].sum(axis=-3))[..., 0],
        n_resamples=300,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    assert bootstrap.intervals(confusions, 300, 4)["accuracy"][:2] == pytest.approx(tuple(expected))


def test_a_better_classifier_on_every_record_differs_surely():
    records, truth, _ = beats()
    good, poor = (beats(right=right)[2] for right in (0.95, 0.6))
    first, second = (bootstrap.record_confusions(records, truth, predicted) for predicted in (good, poor))
    assert bootstrap.difference_intervals(first, second, 500, 0)["accuracy"][0] > 0
    low, high, _ = bootstrap.difference_intervals(first, first, 500, 0)["accuracy"]
    assert low == high == 0


def test_other_beats_cannot_be_compared():
    first = bootstrap.record_confusions(*beats(seed=0))
    second = bootstrap.record_confusions(*beats(seed=1))
    with pytest.raises(ValueError, match="different beats"):
        bootstrap.difference_intervals(first, second, 10, 0)


def test_mcnemar_counts_what_only_one_got_right():
    truth = np.zeros(20, int)
    first = np.where(np.arange(20) < 12, 0, 1)  # right on 0..11
    second = np.where((np.arange(20) >= 10) & (np.arange(20) < 14), 0, 1)  # right on 10..13
    result = bootstrap.mcnemar(truth, first, second)
    assert (result["only_first_right"], result["only_second_right"]) == (10, 2)
    assert result["p_value"] == pytest.approx(2 * binom.cdf(2, 12, 0.5))
    assert bootstrap.mcnemar(truth, first, first)["p_value"] == 1


def test_one_record_cannot_be_resampled():
    with pytest.raises(ValueError, match="two or more, found 1"):
        bootstrap.intervals(bootstrap.record_confusions(*beats(records=1)), 10, 0)
