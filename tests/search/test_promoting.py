import pytest
import yaml

from stages.search.promoting import promote, rounded

TEXT = """\
# Every knob.

train:
  seed: 42           # of the first member
  prior: null
  cnn:
    size: 16         # 4..256
    rate: 0.003      # peak
    groups:
      - ["106", "112"]
  rnn: {size: 16}
"""


def test_nothing_but_the_values_changes():
    changed = promote(TEXT, ("train", "cnn"), {"size": 128, "rate": 0.00123})
    expected = TEXT.replace("size: 16         # 4", "size: 128        # 4").replace("0.003      #", "0.00123    #")
    assert changed == expected


def test_the_same_values_leave_every_byte():
    assert promote(TEXT, ("train", "cnn"), {"size": 16, "rate": 0.003}) == TEXT


def test_a_key_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match=r"train\.cnn\.units is not there"):
        promote(TEXT, ("train", "cnn"), {"units": 3})


@pytest.mark.parametrize("rate", [1e-05, 2.5e-07, 0.0001, 24.0])
def test_a_number_is_read_again_as_that_number(rate):
    read = yaml.safe_load(promote(TEXT, ("train", "cnn"), {"rate": rate}))["train"]["cnn"]["rate"]
    assert isinstance(read, float)
    assert read == rate


def test_numbers_are_promoted_to_three_digits_and_nothing_else_is_rounded():
    best = {
        "rate": 0.0048249451257806044,
        "decay": 1.23456e-05,
        "epochs": 1024,
        "units": 12345,
        "kind": "gru",
        "on": True,
    }
    assert rounded(best) == {**best, "rate": 0.00482, "decay": 1.23e-05}
    assert [type(value) for value in rounded(best).values()] == [type(value) for value in best.values()]
