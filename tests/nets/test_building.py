from dataclasses import replace

import keras
import numpy as np
import pytest

from stages.nets.building import CnnArchitecture, Inputs, RnnArchitecture, average, build_cnn, build_rnn

INPUTS = Inputs((198, 2), [0.1, 0.2, 1.0, 0.0], [0.05, 0.06, 0.1, 0.02])
CNN = CnnArchitecture(
    layer_1_size=8,
    layer_2_size=8,
    layer_3_size=8,
    layer_FC_size=16,
    dropout_rate=0.3,
    morphology_separates_s=False,
)
RNN = RnnArchitecture(
    layer_type="gru",
    bidirectional=True,
    units=8,
    layers=1,
    frame=11,
    layer_FC_size=16,
    dropout_rate=0.3,
    morphology_separates_s=False,
)

VARIANTS = [
    (build_cnn, CNN),
    (build_cnn, replace(CNN, layer_2_size=24, layer_FC_size=8)),
    (build_rnn, RNN),
    (build_rnn, replace(RNN, layer_type="lstm", bidirectional=False)),
    (build_rnn, replace(RNN, layers=2, frame=13)),  # 13 does not divide 198
    (build_rnn, replace(RNN, frame=4)),  # 50 steps: not unrolled
]


def beats(count=6, shape=(198, 2)):
    rng = np.random.default_rng(0)
    return {
        "beat": rng.normal(size=(count, *shape)).astype(np.float32),
        "rhythm": rng.normal([0.1, 0.2, 1, 0], [0.05, 0.06, 0.1, 0.02], (count, 4)).astype(np.float32),
    }


def probabilities_of(model, inputs):
    return np.asarray(model(inputs, training=False))


@pytest.mark.parametrize(("build", "architecture"), VARIANTS)
def test_gives_probabilities_of_five_classes(build, architecture):
    probabilities = probabilities_of(build(INPUTS, architecture), beats())
    assert probabilities.shape == (6, 5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("build", "architecture"), VARIANTS[:3])
def test_sees_both_the_beat_and_its_rhythm(build, architecture):
    keras.utils.set_random_seed(1)
    model = build(INPUTS, architecture)
    before = probabilities_of(model, beats())
    for name in ("beat", "rhythm"):
        changed = beats()
        changed[name] = changed[name] + 1
        assert np.abs(probabilities_of(model, changed) - before).max() > 1e-4, name


def test_the_kachuee_window_fits_both_networks():
    inputs = Inputs((187, 1), INPUTS.center, INPUTS.scale)
    for build, architecture in ((build_cnn, CNN), (build_rnn, RNN)):
        assert probabilities_of(build(inputs, architecture), beats(shape=(187, 1))).shape == (6, 5)


def test_the_scaler_is_inside_the_network():
    model = build_cnn(INPUTS, CNN)
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    scaled = np.asarray(layer(np.array([INPUTS.center, np.add(INPUTS.center, INPUTS.scale)], dtype=np.float32)))
    np.testing.assert_allclose(scaled, [[0] * 4, [1] * 4], atol=1e-4)


@pytest.mark.parametrize(("build", "architecture"), VARIANTS[:3:2])
def test_unless_morphology_separates_s_only_rhythm_does(build, architecture):
    keras.utils.set_random_seed(1)
    model = build(INPUTS, architecture)
    one, other = beats(), beats()
    other["beat"] = other["beat"][::-1] * 3
    ratios = [p[:, 1] / p[:, 0] for p in (probabilities_of(model, one), probabilities_of(model, other))]
    np.testing.assert_allclose(*ratios, rtol=1e-3)
    separating = build(INPUTS, replace(architecture, morphology_separates_s=True))
    ratios_by_morphology = [
        p[:, 1] / p[:, 0] for p in (probabilities_of(separating, one), probabilities_of(separating, other))
    ]
    assert np.abs(ratios_by_morphology[0] / ratios_by_morphology[1] - 1).max() > 0.01
    of_early = probabilities_of(model, {**one, "rhythm": one["rhythm"] - 0.3})
    assert np.abs(of_early[:, 1] / of_early[:, 0] - ratios[0]).max() > 0.01


def test_an_ensemble_gives_the_mean_of_its_members():
    members = []
    for seed in (1, 2, 3):
        keras.utils.set_random_seed(seed)
        members.append(build_cnn(INPUTS, CNN))
    apart = [probabilities_of(member, beats()) for member in members]
    together = probabilities_of(average(members, "cnn"), beats())
    np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-6)
    np.testing.assert_array_equal(probabilities_of(average(members[:1], "cnn"), beats()), apart[0])
