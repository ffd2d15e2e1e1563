"""Exported networks give what Keras gives, and carry their description. The networks are small and untrained."""

import json
import zipfile

import keras
import numpy as np
import onnx
import onnx.reference
import pytest

from stages.nets.building import CnnArchitecture, Inputs, RnnArchitecture, average, build_cnn, build_rnn
from stages.nets.canonical import canonical
from stages.nets.classifying import ModelFileError
from stages.nets.exporting import to_litert, to_onnx
from stages.nets.runtimes import load
from stages.nets.saving import save_classifier

INPUTS = Inputs((54, 2), [0.3] * 4, [2.0] * 4)
ABOUT = {
    "model": "tiny",
    "classes": list("NSVFQ"),
    "adaptation": {
        "n_neighbors": 3,
        "prior_strength": 50.0,
        "prevalence_of_s": 0.02,
        "past_only": False,
        "temperature": 1.2,
    },
}


@pytest.fixture(scope="module")
def networks():
    keras.utils.set_random_seed(4)
    members = [build_rnn(INPUTS, RnnArchitecture(kind, True, 4, 1, 9, 8, 0.3, False)) for kind in ("gru", "lstm")]
    cnn = build_cnn(INPUTS, CnnArchitecture(4, 8, 8, 8, 0.3, True))
    rng = np.random.default_rng(1)
    for network in (cnn, *members):  # away from the beginning, where batch normalisation does nothing
        network.set_weights([weights + rng.uniform(0, 0.3, weights.shape) for weights in network.get_weights()])
    return {"cnn": cnn, "rnn": average(members, "rnn")}


@pytest.fixture(scope="module")
def beats():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 54, 2)).astype("f4"), rng.normal(size=(40, 4)).astype("f4")


@pytest.fixture(scope="module")
def onnx_files(networks):
    return {name: to_onnx(network, ABOUT) for name, network in networks.items()}


@pytest.fixture(scope="module")
def litert_files(networks):
    return {name: to_litert(network, ABOUT, None) for name, network in networks.items()}


def expected_of(network, beats):
    return network.predict({"beat": beats[0], "rhythm": beats[1]}, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_equal_networks_give_equal_bytes(networks, onnx_files, name):
    # The converter numbers what it makes, and goes on counting the second time.
    assert to_onnx(networks[name], ABOUT) == onnx_files[name]


def test_an_order_that_does_not_matter_is_made_one():
    def network(swapped):
        one, other = ("a", "b") if not swapped else ("q", "p")
        nodes = [
            onnx.helper.make_node("Mul", ["beat", "w"], [one], name="first"),
            onnx.helper.make_node("Add", ["beat", "k"], [other], name="second"),
            onnx.helper.make_node("Neg", ["beat"], ["unused"]),
        ]
        last = onnx.helper.make_node("Sub", [one, other], ["probabilities"])
        values = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2]) for n in ("beat", "probabilities")]
        constants = [onnx.helper.make_tensor(n, onnx.TensorProto.FLOAT, [2], [at, 2.0]) for at, n in enumerate("wk")]
        order = -1 if swapped else 1
        graph = onnx.helper.make_graph([*nodes[::order], last], "g", values[:1], values[1:], constants[::order])
        return onnx.helper.make_model(graph)

    one, other = canonical(network(False)), canonical(network(True))
    onnx.checker.check_model(one)
    assert one == other
    assert [node.op_type for node in one.graph.node] == ["Mul", "Add", "Sub"]
    assert one.graph.input[0].name == "beat"
    beat = np.array([3.0, 5.0], dtype="f4")
    expected, probabilities = (
        onnx.reference.ReferenceEvaluator(m).run(None, {"beat": beat}) for m in (network(False), one)
    )
    np.testing.assert_array_equal(probabilities, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_onnx_gives_what_keras_gives(tmp_path, networks, onnx_files, beats, name):
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx_files[name])
    classifier = load(path)
    assert classifier.about == ABOUT
    expected = expected_of(networks[name], beats)
    np.testing.assert_allclose(classifier.run(*beats), expected, atol=1e-5)
    np.testing.assert_allclose(classifier.run(beats[0][:1], beats[1][:1]), expected[:1], atol=1e-5)
    save_classifier(tmp_path / "m.keras", networks[name], ABOUT)
    records = ["a"] * 25 + ["b"] * 15
    by_onnx, by_keras = (load(tmp_path / file).predict(*beats, records) for file in ("m.onnx", "m.keras"))
    np.testing.assert_allclose(by_onnx, by_keras, atol=1e-4)


@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_litert_gives_what_keras_gives(tmp_path, networks, litert_files, beats, name):
    path = tmp_path / "m.tflite"
    path.write_bytes(litert_files[name])
    classifier = load(path, threads=1)
    assert classifier.about == ABOUT
    np.testing.assert_allclose(classifier.run(*beats), expected_of(networks[name], beats), atol=1e-5)


def test_integers_are_near_and_smaller(tmp_path, networks, litert_files, beats):
    path = tmp_path / "m.tflite"
    path.write_bytes(to_litert(networks["cnn"], ABOUT, beats))
    expected = expected_of(networks["cnn"], beats)
    differences = np.abs(load(path).run(*beats) - expected)
    assert 1e-5 < differences.mean() < 0.05
    assert path.stat().st_size < len(litert_files["cnn"])


def test_exporting_leaves_the_network_as_it_was(networks, beats):
    before = expected_of(networks["cnn"], beats)
    to_onnx(networks["cnn"], ABOUT)
    np.testing.assert_array_equal(expected_of(networks["cnn"], beats), before)


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".keras"])
def test_files_that_are_missing_or_something_else(tmp_path, suffix):
    with pytest.raises(ModelFileError, match=r"is missing; run `dvc repro` or `dvc pull`"):
        load(tmp_path / f"m{suffix}")
    (tmp_path / f"m{suffix}").write_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match="no classifier of this pipeline"):
        load(tmp_path / f"m{suffix}")


def test_another_ending(tmp_path):
    (tmp_path / "m.h5").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"expected one of .onnx, .tflite, .keras"):
        load(tmp_path / "m.h5")


def test_a_description_behind_litert_is_a_plain_archive(tmp_path, litert_files):
    (tmp_path / "m.tflite").write_bytes(litert_files["cnn"])
    with zipfile.ZipFile(tmp_path / "m.tflite") as archive:
        assert json.loads(archive.read("about.json")) == ABOUT
