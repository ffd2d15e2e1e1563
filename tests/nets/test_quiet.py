import os
import subprocess
import sys

import pytest

from stages.nets.quiet import STANDARD_ERROR, quiet


def remark(text):
    os.write(STANDARD_ERROR, text)


def fail():
    with quiet():
        remark(b"the reason\n")
        raise ValueError("it failed")


def test_what_native_code_remarks_is_not_shown(capfd):
    with quiet():
        remark(b"a remark\n")
    remark(b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_when_the_block_fails_all_is_shown(capfd):
    with pytest.raises(ValueError, match="it failed"):
        fail()
    assert capfd.readouterr().err == "the reason\n"


@pytest.mark.slow
def test_importing_keras_says_nothing():
    done = subprocess.run(
        [sys.executable, "-c", "from stages.nets.backend import keras, tf"], capture_output=True, text=True, check=True
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.slow
def test_building_graphs_again_and_again_says_nothing():
    script = (
        "import numpy as np\n"
        "from stages.nets.backend import keras\n"
        "for _ in range(7):\n"
        "    keras.utils.clear_session()\n"
        "    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\n"
        "    model.predict(np.zeros((3, 2)), verbose=0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
