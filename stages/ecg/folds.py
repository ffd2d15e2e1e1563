"""Which beat is in which fold: the two protocols.

The test fold is scored once a model is final. All other beats are trained on, in folds: each network of a
cross-validation leaves out one fold and is validated on it, so none is validated on what it was trained on.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, train_test_split

if TYPE_CHECKING:
    from stages.ecg.databases import Database

TEST = "test"
NO_FOLD = "none"
"""The fold of beats that are left out altogether, and what is held out where a network is trained on all folds."""

PROTOCOL_LABELS = {"inter_patient": "inter-patient", "intra_patient": "patient-mixed"}
"""How each protocol is called wherever a person reads of it."""


def label(protocol: str, synthetic: bool) -> str:
    """Say under which protocol, and on which kind of data, a figure was obtained."""
    return PROTOCOL_LABELS[protocol] + (", SYNTHETIC data" if synthetic else "")


def inter_patient(table: pd.DataFrame, database: "Database", groups: Sequence[Sequence[str]]) -> pd.Series:
    """Assign beats by patient: DS1 trains, one group of its records a fold; DS2 tests.

    A record of DS2 whose subject is also in DS1 (mitdb 202) stays in the test fold, as in the literature; the compare
    stage reports the scores without it beside.

    Parameters
    ----------
    table : DataFrame with column ``record``
    database : Database
    groups : sequence of sequences of str
        Every record of DS1 in one group.

    Returns
    -------
    Series of str
        ``1``, ``2``, … for the folds, ``test`` or, for records that the protocol leaves out, ``none``.
    """
    fold_of_record = dict.fromkeys(database.left_out, NO_FOLD) | dict.fromkeys(database.ds2, TEST)
    for number, records in enumerate(groups, start=1):
        fold_of_record |= dict.fromkeys(records, str(number))
    return table["record"].map(fold_of_record)


def patient_mixed(table: pd.DataFrame, count: int, test: float, seed: int) -> pd.Series:
    """Assign beats at random, each class alike: the beats of one patient fall into all folds.

    Parameters
    ----------
    table : DataFrame with column ``aami``
    count : int
        Folds beside the test fold.
    test : float
        Fraction of all beats in the test fold.
    seed : int

    Returns
    -------
    Series of str
        ``1``, ``2``, … or ``test``.
    """
    rows = np.arange(len(table))
    classes = table["aami"].to_numpy()
    rest, _ = train_test_split(rows, test_size=test, stratify=classes, random_state=seed)
    folds = np.full(len(table), TEST, dtype=object)
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(rest, classes[rest]), start=1):
        folds[rest[held_out]] = str(number)
    return pd.Series(folds, index=table.index, dtype=str)
