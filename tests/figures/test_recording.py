"""Figures of one made-up (SYNTHETIC) recording."""

import numpy as np
import pytest

from stages.figures.recording import Clock, Strip, find_strip, trend_figure


@pytest.mark.parametrize(
    ("duration_s", "seconds", "written"),
    [(1800, 0, "0:00"), (1800, 1183.4, "19:43"), (7199, 7199, "119:59"), (1800, 44.9999999, "0:45"),
     (7200, 0, "0:00:00"), (86_400, 5025.9, "1:23:45"), (200_000, 180_000, "50:00:00")],
)  # fmt: skip
def test_a_clock_writes_hours_where_there_are_some(duration_s, seconds, written):
    assert Clock(duration_s)(seconds) == written
    assert Clock(duration_s).label == ("time (min:s)" if written.count(":") == 1 else "time (h:min:s)")


def trend(minutes, duration_s):
    ectopic = {"S": np.arange(minutes), "V": np.full(minutes, 3)}
    return trend_figure(np.linspace(60, 80, minutes), ectopic, np.ones(minutes), Clock(duration_s), "SYNTHETIC")


def test_the_trend_has_a_row_for_rate_ectopy_and_quality():
    rate, ectopy, quality = trend(3, 150).axes
    assert rate.lines[0].get_xdata().tolist() == [30, 90, 135]
    assert rate.lines[0].get_ydata()[2] == 80
    assert max(round(bar.get_y() + bar.get_height(), 6) for bar in ectopy.patches) == 5
    assert [text.get_text() for text in ectopy.get_legend().get_texts()] == ["S", "V"]
    assert quality.get_xlim() == (0, 150)


def test_the_trend_is_bare_at_neither_end():
    _, ectopy, quality = trend(3, 150).axes
    (stairs,) = quality.patches
    assert (stairs.get_data().edges[0], stairs.get_data().edges[-1]) == (0, 150)
    assert max(bar.get_x() + bar.get_width() for bar in ectopy.patches) == 150


@pytest.mark.parametrize(("duration_s", "ticks"), [(150, ["0:00", "0:30"]), (7200, ["0:00:00", "0:10:00"])])
def test_the_trend_has_the_clock_of_the_recording(duration_s, ticks):
    figure = trend(-(-duration_s // 60), duration_s)
    figure.draw_without_rendering()
    axes = figure.axes[2]
    labels = [label.get_text() for label in axes.get_xticklabels() if label.get_position()[0] >= 0]
    assert labels[:2] == ticks
    assert axes.get_xlabel() == Clock(duration_s).label


def strip(signal, find_s=(23, 25), unread=()):
    times = np.arange(20, 30, 0.01)
    drawn = Strip(times, signal, [22.0, 24.0], ["N", "V"])
    return find_strip(drawn, find_s, unread, Clock(1800), "SYNTHETIC").axes[0]


def spans(axes):
    """Beginning and end of what is shaded."""
    return [(round(patch.get_x(), 2), round(patch.get_x() + patch.get_width(), 2)) for patch in axes.patches]


def test_a_strip_marks_its_find_and_shades_what_could_not_be_read():
    signal = np.sin(np.arange(1000) / 20)
    signal[600:700] = np.nan
    axes = strip(signal, unread=[(25.5, 27.5, "missing"), (29, 40, "noisy"), (50, 60, "flat")])
    assert spans(axes) == [(23, 25), (25.5, 27.5), (29, 29.99)]
    assert [text.get_text() for text in axes.texts] == ["N", "V", "missing", "noisy"]
    assert np.isnan(axes.lines[0].get_ydata()).sum() == 100
    assert axes.get_xlim() == pytest.approx((20, 29.99))


def test_a_strip_has_the_clock_of_the_recording():
    axes = strip(np.zeros(1000))
    axes.figure.draw_without_rendering()
    assert "0:25" in [label.get_text() for label in axes.get_xticklabels()]
    assert axes.get_xlabel() == "time (min:s)"


def test_a_strip_of_nothing():
    assert np.isnan(strip(np.full(1000, np.nan)).lines[0].get_ydata()).all()
