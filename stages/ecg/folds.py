"""Which beat is in which fold: the two protocols."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from stages.ecg.databases import Database

FOLDS = ("train", "val", "test")

PROTOCOL_LABELS = {"inter_patient": "inter-patient", "intra_patient": "patient-mixed"}
"""How each protocol is called wherever a person reads of it."""


def label(protocol: str, synthetic: bool) -> str:
    """Say under which protocol, and on which kind of data, a figure was obtained."""
    return PROTOCOL_LABELS[protocol] + (", SYNTHETIC data" if synthetic else "")


def inter_patient(table: pd.DataFrame, database: Database, validation: Collection[str]) -> pd.Series:
    """Assign beats by patient: DS1 less the validation records trains, DS2 tests.

    A record of DS2 whose subject is also in DS1 (mitdb 202) stays in the test fold, as in the literature; scores
    without it are reported beside.

    Parameters
    ----------
    table : DataFrame with column ``record``
    database : Database
    validation : collection of str
        Records of DS1.

    Returns
    -------
    Series of str
        ``train``, ``val``, ``test`` or, for records that the protocol leaves out, ``none``.
    """
    fold_of_record = dict.fromkeys(database.left_out, "none")
    fold_of_record |= dict.fromkeys(database.ds1, "train")
    fold_of_record |= dict.fromkeys(validation, "val")
    fold_of_record |= dict.fromkeys(database.ds2, "test")
    return table["record"].map(fold_of_record)


def patient_mixed(table: pd.DataFrame, validation: float, test: float, seed: int) -> pd.Series:
    """Assign beats at random, each class alike: the beats of one patient fall into all folds.

    Parameters
    ----------
    table : DataFrame with column ``aami``
    validation, test : float
        Fractions of all beats.
    seed : int

    Returns
    -------
    Series of str
        ``train``, ``val`` or ``test``.
    """
    rows = np.arange(len(table))
    classes = table["aami"].to_numpy()
    rest, tested = train_test_split(rows, test_size=test, stratify=classes, random_state=seed)
    _, validated = train_test_split(rest, test_size=validation / (1 - test), stratify=classes[rest], random_state=seed)
    folds = np.full(len(table), "train", dtype="<U5")
    folds[validated] = "val"
    folds[tested] = "test"
    return pd.Series(folds, index=table.index)
