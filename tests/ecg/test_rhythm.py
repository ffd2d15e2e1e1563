import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.ecg.beat_format import RR_FEATURES
from stages.ecg.rhythm import LOCAL_BEATS, rr_intervals


def test_premature_beat_with_a_pause():
    rr = rr_intervals(np.array([0, 360, 720, 900, 1440, 1800]), fs=360)
    assert rr["rr_pre_s"].tolist() == [1.0, 1.0, 1.0, 0.5, 1.5, 1.0]
    assert rr["rr_post_s"].tolist() == [1.0, 1.0, 0.5, 1.5, 1.0, 1.0]
    assert rr.loc[3, "log_rr_pre_over_mean"] == pytest.approx(np.log(0.5))
    assert rr.loc[3, "log_rr_post_over_mean"] == pytest.approx(np.log(1.5))
    assert rr.loc[3, "log_rr_pre_over_post"] == pytest.approx(-np.log(3))
    assert rr.loc[3, "log_rr_pre_over_local"] == pytest.approx(np.log(0.5 / 0.875))


def test_the_ends_take_the_mean_interval_and_say_so():
    rr = rr_intervals(np.array([0, 100, 300, 600]), fs=100)
    assert rr["rr_pre_s"].iloc[0] == rr["rr_post_s"].iloc[-1] == 2.0
    assert rr["rr_imputed"].tolist() == [True, False, False, True]


def test_the_mean_of_the_past_grows_with_it():
    rr = rr_intervals(np.array([0, 100, 300, 600]), fs=100, past_only=True)
    assert rr["rr_mean_s"].tolist() == [1.0, 1.0, 1.5, 2.0]
    assert rr["rr_pre_s"].tolist() == [1.0, 1.0, 2.0, 3.0]


def test_intervals_over_what_cannot_be_read_count_for_nothing():
    samples = np.array([0, 100, 200, 900, 1000, 1120])
    rr = rr_intervals(samples, fs=100, intact=np.array([True, True, False, True, True]))
    assert rr["rr_mean_s"].tolist() == pytest.approx([1.05] * 6)
    assert rr["rr_pre_s"].tolist() == pytest.approx([1.05, 1.0, 1.0, 1.05, 1.0, 1.2])
    assert rr["rr_post_s"].tolist() == pytest.approx([1.0, 1.0, 1.05, 1.0, 1.2, 1.05])
    assert rr["rr_imputed"].tolist() == [True, False, True, True, False, True]


def test_the_past_has_intact_intervals_only():
    samples = np.array([0, 700, 800, 1500, 1700])
    rr = rr_intervals(samples, fs=100, past_only=True, intact=np.array([False, True, False, True]))
    assert rr["rr_mean_s"].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0, 1.5])
    assert rr["rr_pre_s"].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0, 2.0])


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=50), st.booleans())
def test_where_all_is_intact_or_nothing_is_features_are_finite(gaps, past_only):
    samples = np.concatenate([[0], np.cumsum(gaps)])
    by_default = rr_intervals(samples, 360, past_only)
    pd.testing.assert_frame_equal(rr_intervals(samples, 360, past_only, np.ones(len(gaps), dtype=bool)), by_default)
    rr = rr_intervals(samples, 360, past_only, np.zeros(len(gaps), dtype=bool))
    assert np.isfinite(rr[list(RR_FEATURES)]).all(axis=None)
    assert rr["rr_imputed"].all()


def test_local_mean_looks_back_ten_intervals():
    samples = np.concatenate([[0], np.cumsum([100] * 20 + [200])])
    rr = rr_intervals(samples, fs=100)
    assert rr["rr_local_s"].iloc[-1] == pytest.approx((9 * 1.0 + 2.0) / LOCAL_BEATS)


def test_a_lone_beat_has_no_interval():
    with pytest.raises(ValueError, match="at least 2 beats, got 1"):
        rr_intervals(np.array([10]), fs=360)


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=200), st.sampled_from([128, 250, 360]))
def test_intervals_fit_together(gaps, fs):
    samples = np.concatenate([[0], np.cumsum(gaps)])
    rr = rr_intervals(samples, fs)
    np.testing.assert_allclose(rr["rr_pre_s"].iloc[1:], rr["rr_post_s"].iloc[:-1].to_numpy())
    assert rr["rr_mean_s"].iloc[0] == pytest.approx(np.mean(gaps) / fs)
    assert np.isfinite(rr[list(RR_FEATURES)]).all(axis=None)


@given(st.lists(st.integers(50, 900), min_size=3, max_size=60))
def test_features_do_not_depend_on_the_sampling_rate(gaps):
    samples = np.concatenate([[0], np.cumsum(gaps)])
    slow, fast = rr_intervals(samples, 180), rr_intervals(samples * 2, 360)
    np.testing.assert_allclose(slow[list(RR_FEATURES)], fast[list(RR_FEATURES)], atol=1e-12)
