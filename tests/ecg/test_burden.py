import pandas as pd
import pytest

from stages.ecg.burden import merged, summarise
from stages.ecg.quality import Problem

FS = 100


def beats(classes, interval_s=1.0, at=None):
    times = at or [interval_s * (number + 1) for number in range(len(classes))]
    named = ["" if name == "-" else name for name in classes]
    table = pd.DataFrame({"time_s": times, "class": named})
    return table.assign(sample=(table["time_s"] * FS).round().astype(int), unreadable="")


def summed(classes, problems=(), **options):
    return summarise(beats(classes, **options), list(problems), FS, 100 * FS)


def test_beats_burdens_and_rates():
    summary = summed("NNSNNVNNNF", interval_s=0.8)
    assert (summary["beats"], summary["classified"]) == (10, 10)
    assert summary["classes"] == {"N": 7, "S": 1, "V": 1, "F": 1, "Q": 0}
    assert summary["burden"] == {"S": 10.0, "V": 10.0}
    assert summary["heart_rate"] == pytest.approx({"mean": 75, "lowest": 75, "highest": 75})
    assert summary["duration_s"] == summary["readable_s"] == 100


def test_couplets_and_runs():
    summary = summed("NVVNVNVVVNSSNVVVVVNSSS", interval_s=0.5)
    assert summary["couplets"] == {"S": 1, "V": 1}
    assert [run["beats"] for run in summary["runs"]["V"]] == [3, 5]
    assert summary["runs"]["V"][1] == {"time_s": 7.0, "beats": 5, "rate": 120.0}
    assert [run["beats"] for run in summary["runs"]["S"]] == [3]


def test_what_was_not_classified_ends_a_run():
    assert summed("VV-VV")["couplets"]["V"] == 2
    assert summed("VV-VV")["runs"]["V"] == []
    assert summed("NN-")["classified"] == 2


def test_nothing_reaches_over_what_cannot_be_read():
    gap = Problem(3 * FS + 10, 7 * FS - 10, "missing")
    summary = summed("NVVVVN", problems=[gap], at=[1, 2, 3, 7, 8, 9])
    assert summary["pauses"] == []
    assert summary["couplets"]["V"] == 2
    assert summary["runs"]["V"] == []
    assert summary["heart_rate"]["lowest"] == pytest.approx(60)
    assert summary["unreadable_s"] == {"missing": pytest.approx(3.8)}
    assert summary["readable_s"] == pytest.approx(96.2)


def test_stretches_of_one_reason_that_touch_are_one():
    gaps = [Problem(0, 10, "missing"), Problem(8, 25, "missing"), Problem(9, 12, "missing")]
    noise = [Problem(20, 30, "noisy"), Problem(30, 40, "noisy"), Problem(50, 60, "noisy")]
    problems = [*noise, *gaps]
    assert merged(problems) == [Problem(0, 25, "missing"), Problem(20, 40, "noisy"), Problem(50, 60, "noisy")]
    assert merged([]) == []


def test_pauses():
    assert summed("NNN", at=[1, 2, 4.5])["pauses"] == [{"time_s": 2.0, "seconds": 2.5}]


def test_lowest_and_highest_rate_are_means_of_eight_intervals():
    slow, fast = [10 + 1.5 * n for n in range(9)], [22 + 0.5 * (n + 1) for n in range(9)]
    summary = summed("N" * 18, at=[*slow, *fast])
    assert summary["heart_rate"]["lowest"] == pytest.approx(40)
    assert summary["heart_rate"]["highest"] == pytest.approx(120)


def test_overlapping_problems_are_counted_once_in_all():
    problems = [Problem(0, 1000, "missing"), Problem(500, 1500, "noisy")]
    summary = summed("NN", problems=problems, at=[20, 21])
    assert summary["readable_s"] == 85
    assert summary["unreadable_s"] == {"missing": 10, "noisy": 10}


@pytest.mark.parametrize("classes", ["", "N"])
def test_hardly_any_beat(classes):
    summary = summed(classes)
    assert summary["heart_rate"] is None
    assert summary["burden"] == {"S": 0, "V": 0}
    assert summary["pauses"] == []
