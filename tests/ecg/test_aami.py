import numpy as np
import pytest

from stages.ecg import aami

# Beats of each symbol in mitdb.
COMMON = {"N": 75052, "L": 8075, "R": 7259, "V": 7130, "/": 7028, "A": 2546, "f": 982, "F": 803}
RARE = {"j": 229, "a": 150, "E": 106, "J": 83, "Q": 33, "e": 16, "S": 2}


def test_class_order_is_the_one_of_the_standard():
    assert aami.CLASSES == ("N", "S", "V", "F", "Q")


def test_symbols_of_mitdb_add_up_to_its_published_classes():
    sums = dict.fromkeys(aami.CLASSES, 0)
    for symbol, count in (COMMON | RARE).items():
        sums[aami.CLASS_OF_SYMBOL[symbol]] += count
    assert sums == {"N": 90631, "S": 2781, "V": 7236, "F": 803, "Q": 8043}


def test_escape_beats_are_normal():
    assert aami.class_indices("ej").tolist() == [0, 0]


def test_every_class_has_its_symbols():
    assert aami.class_indices("NLRejAaJSVEF/fQ").tolist() == [0] * 5 + [1] * 4 + [2] * 2 + [3] + [4] * 3


def test_non_beats_are_told_from_beats():
    np.testing.assert_array_equal(aami.is_beat('N+~V|"x![]'), [True, False, False, True] + [False] * 6)


def test_unknown_symbol_is_named():
    with pytest.raises(ValueError, match=r"\['%'\] have no AAMI class"):
        aami.is_beat("N%")
