import zipfile

import keras
import numpy as np
import pytest

from stages.nets.building import CnnArchitecture, Inputs, RnnArchitecture, average, build_cnn, build_rnn
from stages.nets.classifying import ModelFileError
from stages.nets.runtimes import load
from stages.nets.saving import load_network, save_classifier

INPUTS = Inputs((198, 2), [0.0] * 4, [1.0] * 4)
ABOUT = {
    "classes": list("NSVFQ"),
    "protocol": "inter_patient",
    "trained_on": {"fmt": {"fs_hz": 360}},
    "adaptation": {
        "n_neighbors": None,
        "prior_strength": None,
        "prevalence_of_s": 0.02,
        "past_only": False,
        "temperature": 1.0,
    },
}


FULL = {
    "cnn": CnnArchitecture(16, 32, 64, 32, 0.3, False),
    "rnn": RnnArchitecture("gru", True, 48, 1, 11, 32, 0.3, True),
}
"""As large as those that are trained."""

SMALL = {
    "cnn": CnnArchitecture(4, 4, 4, 8, 0.3, False),
    "rnn": RnnArchitecture("gru", True, 4, 1, 40, 8, 0.3, True),
}


def network_of(architecture):
    """Build a CNN, or an ensemble of two RNNs, the same at every call."""
    keras.utils.set_random_seed(4)
    if isinstance(architecture, CnnArchitecture):
        return build_cnn(INPUTS, architecture)
    return average([build_rnn(INPUTS, architecture) for _ in range(2)], "rnn")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_a_loaded_network_is_the_same(tmp_path, name):
    rng = np.random.default_rng(0)
    signals, rhythm = rng.normal(size=(50, 198, 2)).astype("f4"), rng.normal(size=(50, 4)).astype("f4")
    model = network_of(SMALL[name])
    model.compile("adam", "categorical_crossentropy", run_eagerly=True)
    model.fit({"beat": signals, "rhythm": rhythm}, np.eye(5)[rng.integers(0, 5, 50)], verbose=0)
    save_classifier(tmp_path / "m.keras", model, ABOUT)
    network, about = load_network(tmp_path / "m.keras")
    assert about == ABOUT
    for loaded, saved in zip(network.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, saved)
    expected = model.predict({"beat": signals, "rhythm": rhythm}, verbose=0)
    probabilities = load(tmp_path / "m.keras").predict(signals, rhythm, ["x"] * 50)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_a_file_is_small_and_without_optimizer(tmp_path, name):
    model = network_of(FULL[name])
    model.compile("adam", "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    save_classifier(tmp_path / "m.keras", model, ABOUT)
    assert (tmp_path / "m.keras").stat().st_size < 1_000_000
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert b"adam" not in archive.read("config.json")
        weights = archive.read("model.weights.h5")
    assert len(weights) < 4 * model.count_params() + 120_000  # float32, once
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_equal_networks_give_equal_bytes(tmp_path, name):
    kept = []  # so that nothing of the second network lies where the first one lay
    for file in ("a", "b"):
        keras.utils.clear_session()
        kept.append(network_of(SMALL[name]))
        save_classifier(tmp_path / f"{file}.keras", kept[-1], ABOUT)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_plain_keras_reads_the_file_too(tmp_path):
    save_classifier(tmp_path / "m.keras", network_of(SMALL["rnn"]), ABOUT)
    assert keras.saving.load_model(tmp_path / "m.keras").name == "rnn"


def test_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match=r"m.keras is missing; run `dvc repro` or `dvc pull`"):
        load(tmp_path / "m.keras")


def test_a_file_that_is_no_archive(tmp_path):
    (tmp_path / "m.keras").write_bytes(b"nonsense")
    with pytest.raises(ModelFileError, match="no classifier of this pipeline"):
        load(tmp_path / "m.keras")


def test_a_network_that_was_saved_without_its_description(tmp_path):
    network_of(FULL["cnn"]).save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match=r"about\.json"):
        load(tmp_path / "m.keras")


def test_a_model_of_an_earlier_version_is_to_be_made_again(tmp_path):
    adaptation = {"alike_beats": 5, "prior_beats": 1000.0, "prevalence_of_s": 0.02, "past_only": False}
    save_classifier(tmp_path / "m.keras", network_of(FULL["cnn"]), {**ABOUT, "adaptation": adaptation})
    expected = (
        r"m.keras is of an earlier version .*n_neighbors.* expected, alike_beats.* found; run `dvc repro` to train"
    )
    with pytest.raises(ModelFileError, match=expected):
        load(tmp_path / "m.keras")


def test_code_in_a_file_is_refused(tmp_path):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    network.save(tmp_path / "per_beat.keras")
    with zipfile.ZipFile(tmp_path / "per_beat.keras", "a") as archive:
        archive.writestr("about.json", "{}")
    with pytest.raises(ValueError, match="unsafe"):
        load(tmp_path / "per_beat.keras")


def test_a_network_for_new_patients_adapts_the_share_of_s_beats(tmp_path):
    signals, rhythm = np.zeros((9, 198, 2), "f4"), np.zeros((9, 4), "f4")
    about = {**ABOUT, "adaptation": {**ABOUT["adaptation"], "prior_strength": 1.0}}
    save_classifier(tmp_path / "m.keras", network_of(FULL["cnn"]), about)
    adapted = load(tmp_path / "m.keras").predict(signals, rhythm, ["x"] * 9)
    raw = network_of(FULL["cnn"]).predict({"beat": signals, "rhythm": rhythm}, verbose=0)
    assert adapted[0, 1] > 1.5 * raw[0, 1]  # an untrained network finds S beats everywhere
    np.testing.assert_allclose(adapted[:, 2:], raw[:, 2:], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_a_recording_gets_the_same_bits_whatever_others_are_there(tmp_path, name):
    rng = np.random.default_rng(0)
    signals, rhythm = rng.normal(size=(90, 198, 2)).astype("f4"), rng.normal(size=(90, 4)).astype("f4")
    records = np.array(["b"] * 50 + ["a"] * 40)
    adaptation = {**ABOUT["adaptation"], "n_neighbors": 5, "prior_strength": 100.0, "temperature": 1.3}
    save_classifier(tmp_path / "m.keras", network_of(FULL[name]), {**ABOUT, "adaptation": adaptation})
    together = load(tmp_path / "m.keras").predict(signals, rhythm, records)
    for record in "ab":
        rows = records == record
        alone = load(tmp_path / "m.keras").predict(signals[rows], rhythm[rows], records[rows])
        np.testing.assert_array_equal(together[rows], alone)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
