from stages.config.params import load_params
from stages.training.folds import Design, settings_of


def design(**ensemble):
    """Give the design of the CNN under the inter-patient protocol, with some keys of its ensemble changed."""
    train = load_params().train
    return Design(train, train.cnn, train.inter_patient.model_copy(update=ensemble))


def test_a_protocol_fits_for_so_many_epochs_in_batches_of_such_a_size():
    committed = design(epochs_factor=4.0, batch_size_factor=0.25, refit=False)
    train, network = committed.train, committed.network.model_copy(update={"epochs": 10, "batch_size": 256})
    changed = Design(train, network, committed.ensemble)
    settings = settings_of(changed, 3)
    assert (settings.epochs, settings.batch_size, settings.seed) == (40, 64, train.seed + 3)
    assert settings_of(changed, 0, fraction_of_epochs=0.5).epochs == 20
    assert (settings.learning_rate, settings.patience) == (network.learning_rate, train.patience)


def test_no_epoch_is_chosen_where_the_networks_are_refitted():
    assert settings_of(design(refit=True), 0).patience is None


def test_a_protocol_swaps_the_median_beats_of_so_many_v_beats():
    assert settings_of(design(template_swap=0.3), 0).template_swap == 0.3


def test_a_fit_has_an_epoch_at_least():
    assert settings_of(design(epochs_factor=0.01), 0).epochs == 1
