from stages.config.params import load_params
from stages.training.folds import settings_of


def test_a_protocol_fits_for_so_many_epochs_in_batches_of_such_a_size():
    train = load_params().train
    chosen = train.cnn.model_copy(update={"epochs": 10, "batch_size": 256})
    ensemble = train.inter_patient.model_copy(update={"longer": 4.0, "batch": 0.25, "refit": False})
    settings = settings_of(train, chosen, ensemble, 3)
    assert (settings.epochs, settings.batch_size, settings.seed) == (40, 64, train.seed + 3)
    assert settings_of(train, chosen, ensemble, 0, fraction_of_epochs=0.5).epochs == 20
    assert (settings.learning_rate, settings.patience) == (chosen.learning_rate, train.patience)


def test_no_epoch_is_chosen_where_the_networks_are_refitted():
    train = load_params().train
    refitted = train.inter_patient.model_copy(update={"refit": True})
    assert settings_of(train, train.cnn, refitted, 0).patience is None


def test_a_protocol_transplants_so_many_v_beats():
    train = load_params().train
    some = train.inter_patient.model_copy(update={"transplant": 0.3})
    assert settings_of(train, train.cnn, some, 0).transplant == 0.3


def test_a_fit_has_an_epoch_at_least():
    train = load_params().train
    short = train.inter_patient.model_copy(update={"longer": 0.01})
    assert settings_of(train, train.cnn, short, 0).epochs == 1
