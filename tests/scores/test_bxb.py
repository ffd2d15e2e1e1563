"""The rules by which bxb pairs beats, each by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfdb.processing import compare_annotations

from stages.scores.bxb import CALLED, LABEL_OF_SYMBOL, TRUE, compare

FS = 360
LENGTH = 650_000
LATER = 200_000


@dataclass(frozen=True)
class Marks:
    samples: np.ndarray
    symbols: np.ndarray
    subtypes: np.ndarray


def marks(*annotations):
    """Annotations from (sample, symbol) or (sample, symbol, subtype)."""
    rows = [(*annotation, 0)[:3] for annotation in annotations]
    samples, symbols, subtypes = zip(*rows, strict=True) if rows else ((), (), ())
    return Marks(np.array(samples, dtype=np.int64), np.array(symbols, dtype="<U1"), np.array(subtypes, dtype=np.int64))


def pairs(reference, test, start_s=300.0, length=LENGTH, fs=FS):
    """The pairs that were found, as bxb writes them, with their number."""
    table = compare(marks(*reference), marks(*test), fs, length, start_s)
    assert list(table.index) == list(TRUE)
    assert list(table.columns) == list(CALLED)
    return {row + name: int(table.loc[row, name]) for row in TRUE for name in CALLED if table.loc[row, name]}


@pytest.mark.parametrize(
    ("symbols", "label"), [("NLRB", "N"), ("AaJSejn", "S"), ("VEr", "V"), ("F", "F"), ("/fQ?", "Q")]
)
def test_every_symbol_is_filed_as_bxb_files_it(symbols, label):
    for symbol in symbols:
        assert pairs([(LATER, symbol)], [(LATER, "N")]) == {f"{label}n": 1}
        assert pairs([(LATER, "N")], [(LATER, symbol)]) == {f"N{label.lower()}": 1}


@pytest.mark.parametrize("symbol", list('+"|~x[]'))
def test_what_marks_no_beat_is_paired_with_nothing(symbol):
    assert pairs([(LATER, symbol), (LATER + 100, "]")], []) == {}


def test_two_annotations_within_150_ms_are_of_one_beat():
    assert pairs([(LATER, "N")], [(LATER + 54, "V")]) == {"Nv": 1}
    assert pairs([(LATER, "N")], [(LATER - 54, "V")]) == {"Nv": 1}
    assert pairs([(LATER, "N")], [(LATER + 55, "V")]) == {"No": 1, "Ov": 1}
    assert pairs([(LATER, "N")], [(LATER - 55, "V")]) == {"No": 1, "Ov": 1}


def test_a_beat_is_paired_with_the_nearer_of_two():
    assert pairs([(LATER, "N")], [(LATER - 40, "V"), (LATER + 10, "S")]) == {"Ov": 1, "Ns": 1}
    assert pairs([(LATER, "N"), (LATER + 50, "V")], [(LATER + 40, "S")]) == {"No": 1, "Vs": 1}


def test_of_two_equally_near_the_later_is_taken():
    assert pairs([(LATER, "N")], [(LATER - 20, "V"), (LATER + 20, "S")]) == {"Ov": 1, "Ns": 1}


def test_a_nearer_rival_that_has_a_nearer_beat_of_its_own_is_left_to_it():
    # 128 is as near to 160 as to 96, and 160 is the nearest to 185: the example in bxb.c of what changed in 2002.
    assert pairs([(96, "N"), (160, "N")], [(128, "N"), (185, "N")], start_s=0.0, fs=250) == {"Nn": 2}
    assert pairs([(128, "N"), (185, "N")], [(96, "N"), (160, "N")], start_s=0.0, fs=250) == {"Nn": 2}
    # Without the second test beat the first one is of the later beat.
    assert pairs([(96, "N"), (160, "V")], [(128, "N")], start_s=0.0, fs=250) == {"No": 1, "Vn": 1}


@pytest.mark.parametrize(("fs", "window"), [(70, 11), (110, 17), (150, 23), (250, 38), (360, 54)])
def test_half_a_sample_is_rounded_up(fs, window):
    assert pairs([(1000, "N")], [(1000 + window, "V")], start_s=0.0, fs=fs) == {"Nv": 1}
    assert pairs([(1000, "N")], [(1001 + window, "V")], start_s=0.0, fs=fs) == {"No": 1, "Ov": 1}


def test_scoring_begins_with_a_beat_at_exactly_five_minutes():
    first = 300 * FS
    assert pairs([(first - 1, "N"), (first, "V")], [(first - 1, "N"), (first, "V")]) == {"Vv": 1}
    assert pairs([(first - 1, "N"), (first, "V")], [(first - 1, "N"), (first, "V")], start_s=0.0) == {"Nn": 1, "Vv": 1}


def test_a_beat_whose_two_annotations_lie_on_both_sides_of_the_beginning():
    first = 300 * FS
    assert pairs([(first + 5, "V")], [(first - 5, "V"), (first + 300, "N")]) == {"Vv": 1, "On": 1}
    # The reference beat was before the beginning, so the test beat that belongs to it is not held against anyone.
    assert pairs([(first - 5, "V"), (first + 300, "N")], [(first + 5, "V"), (first + 300, "N")]) == {"Nn": 1}


def test_what_is_found_in_flutter_counts_for_nothing():
    flutter = [(LATER, "["), (LATER + 100, "!"), (LATER + 200, "!"), (LATER + 400, "]")]
    assert pairs([*flutter, (LATER + 1000, "N")], [(LATER + 100, "V"), (LATER + 1000, "N")]) == {"Nn": 1}
    assert pairs([*flutter, (LATER + 1000, "N")], [(LATER + 500, "V"), (LATER + 1000, "N")]) == {"Ov": 1, "Nn": 1}


def test_flutter_that_has_no_end_lasts():
    assert pairs([(LATER, "["), (LATER + 100, "!")], [(LATER + 5000, "V")]) == {}


def test_a_flutter_wave_outside_flutter_is_nothing_to_be_found():
    assert pairs([(LATER, "!")], []) == {}
    assert pairs([(LATER, "!")], [(LATER, "V")]) == {"Ov": 1}


def test_extra_beats_while_the_reference_cannot_read_the_signal_are_told_apart():
    shut_down = [(LATER, "~", -1), (LATER + 2000, "~", 0)]
    extra = [(LATER - 500, "N"), (LATER + 500, "V"), (LATER + 2500, "N")]
    assert pairs(shut_down, extra) == {"On": 2, "Xv": 1}


def test_beats_missed_while_the_test_annotator_cannot_read_the_signal_are_told_apart():
    beats = [(LATER - 500, "N"), (LATER + 500, "V"), (LATER + 2500, "N")]
    assert pairs(beats, [(LATER, "~", 0x30), (LATER + 2000, "~", 0)]) == {"No": 2, "Vx": 1}


def test_noise_in_one_lead_is_no_shutdown():
    assert pairs([(LATER, "~", 0x10), (LATER + 2000, "~", 0)], [(LATER + 500, "V")]) == {"Ov": 1}


def test_one_mark_of_shutdown_stands_for_all_between_the_beats_around_it():
    reference = [(LATER, "N"), (LATER + 1000, "~", -1), (LATER + 2000, "N")]
    test = [(LATER, "N"), (LATER + 54, "V"), (LATER + 300, "S"), (LATER + 2000, "N")]
    assert pairs(reference, test) == {"Nn": 2, "Xv": 1, "Xs": 1}
    assert pairs(reference[:2], [(LATER, "N"), (LATER + 999, "V"), (LATER + 5000, "V")]) == {"Nn": 1, "Ov": 1, "Xv": 1}


def test_records_without_annotations_have_no_pairs():
    assert pairs([], []) == {}
    assert pairs([], [(LATER, "N")]) == {"On": 1}
    assert pairs([(LATER, "N")], []) == {"No": 1}


class Reader:
    """An annotator as bxb reads it, one beat at a time: the beat at hand and the one to come."""

    def __init__(self, beats):
        self.unread = iter(beats)
        self.time, self.label = 0, None
        self.next_time, self.next_label = 0, None

    def step(self):
        self.time, self.label = self.next_time, self.next_label
        self.next_time, self.next_label = next(self.unread, (0x7FFFFFFF, None))


def pairs_one_by_one(reference, test, start, length, window):
    """What the main loop of bxb counts, step by step, for beats (sample, label) without flutter and noise."""
    counted = {}

    def pair(true, called):
        counted[true + called.lower()] = counted.get(true + called.lower(), 0) + 1

    ref, test = Reader(reference), Reader(test)
    ref.step()
    while ref.time < start:
        ref.step()
    test.step()
    while test.next_time < start:
        test.step()
    lead = ref.time - test.time
    if lead < abs(ref.time - test.next_time) and lead <= window:
        if ref.label and test.label:
            pair(ref.label, test.label)
        ref.step()
        test.step()
    else:
        test.step()
        if test.time - start <= window and abs(ref.time - test.next_time) < abs(ref.time - test.time):
            test.step()
    while ref.time <= length or test.time <= length:
        gap, nexts = abs(ref.time - test.time), abs(ref.next_time - test.next_time)
        if test.time < ref.time:
            other = abs(ref.time - test.next_time)
            if gap <= window and (gap < other or nexts < other):
                pair(ref.label, test.label)
                ref.step()
            else:
                pair("O", test.label)
            test.step()
        else:
            other = abs(test.time - ref.next_time)
            if gap <= window and (gap < other or nexts < other):
                pair(ref.label, test.label)
                test.step()
            else:
                pair(ref.label, "O")
            ref.step()
    return counted


close = st.dictionaries(st.integers(1, 900), st.sampled_from("NSVFQ"), max_size=30).map(
    lambda some: sorted(some.items())
)


@settings(max_examples=400)
@given(close, close, st.sampled_from([0, 300]))
def test_beats_however_close_are_paired_as_bxb_pairs_them(reference, test, start):
    assert pairs(reference, test, start_s=start / FS, length=1000) == pairs_one_by_one(reference, test, start, 1000, 54)


beats = st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(sorted(LABEL_OF_SYMBOL))), max_size=30)


@given(beats, beats)
def test_no_beat_is_counted_twice_or_lost(reference, test):
    reference, test = ([(at + LATER, symbol) for at, symbol in dict(some).items()] for some in (reference, test))
    table = compare(marks(*sorted(reference)), marks(*sorted(test)), FS, LENGTH)
    true = sum(symbol != "!" for _, symbol in reference)
    called = sum(symbol != "!" for _, symbol in test)
    assert table.loc[list("NSVFQ")].to_numpy().sum() == true
    assert table[list("nsvfq")].to_numpy().sum() == called


@given(beats)
def test_an_annotator_that_repeats_the_reference_has_all_beats_on_the_diagonal(reference):
    annotated = marks(*sorted((at + LATER, symbol) for at, symbol in dict(reference).items() if symbol != "!"))
    table = compare(annotated, annotated, FS, LENGTH).to_numpy()
    assert table.sum() == np.trace(table) == len(annotated.samples)


@given(st.lists(st.integers(-50, 50), min_size=5, max_size=30))
def test_well_separated_beats_are_matched_as_wfdb_matches_them(shifts):
    reference = LATER + 300 * np.arange(len(shifts))
    test = reference + np.array(shifts)
    table = compare(marks(*((at, "N") for at in reference)), marks(*((at, "N") for at in test)), FS, LENGTH)
    by_wfdb = compare_annotations(reference, test, 54)
    assert (table.loc["N", "n"], table.loc["N", "o"], table.loc["O", "n"]) == (by_wfdb.tp, by_wfdb.fn, by_wfdb.fp)
