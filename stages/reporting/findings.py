"""What the numbers and the database say in words, for the report and the model cards alike."""

from collections.abc import Sequence

import pandas as pd

from stages.config.paths import METRICS
from stages.ecg.databases import Database
from stages.ecg.folds import PROTOCOL_LABELS, TEST
from stages.files.writing import read_json

UNTOLD = "-"
"""Stands for a figure that is not defined."""

SYNTHETIC = "SYNTHETIC data: made-up signals, the figures say nothing about patients."


def not_a_medical_device(database: Database, protocols: Sequence[str]) -> str:
    """Say what no reader may miss."""
    if database.synthetic:
        return f"{SYNTHETIC} Not a medical device, and not to be used for diagnosis."
    used = {protocol: database.records if protocol == "intra_patient" else database.split for protocol in protocols}
    whom = " or ".join(
        f"{len(records)} records of {database.patients(records)} patients ({PROTOCOL_LABELS[protocol]})"
        for protocol, records in used.items()
    )
    return f"Not a medical device: trained and tested on {whom}, {database.recorded}, and not to be used for diagnosis."


def on_both_sides(database: Database) -> str:
    """Name the records of DS2 whose patient DS1 shows as well; empty if there are none."""
    known = [f"record {second}, which is of the same patient as {first}" for second, first in database.shared.items()]
    return f", but for {' and '.join(known)}" if known else ""


def split(protocol: str, database: Database) -> str:
    """Say who trains and who tests."""
    if protocol == "intra_patient":
        return (
            "A random part of all beats is the test fold, so its patients are trained on: the figures do not tell "
            "how a new patient fares."
        )
    after = f" ({database.split_by})" if database.split_by else ""
    apart = f"No patient of the test fold was trained on{on_both_sides(database)}."
    out = f" Left out: {', '.join(database.left_out)}, which are {database.left_out_why}." if database.left_out else ""
    return f"{len(database.ds1)} records (DS1) train, {len(database.ds2)} (DS2) test{after}. {apart}{out}"


def training_beats(protocol: str, database: Database) -> str:
    """Say how many beats there are to train on, and whose they are."""
    folds = read_json(METRICS / "balance" / protocol / "folds.json")["beats"]
    counts = pd.DataFrame(folds).drop(columns=TEST).sum(axis=1)
    records = database.ds1 if protocol == "inter_patient" else database.records
    whose = f"{len(records)} records" + ("" if database.synthetic else f" of {database.patients(records)} patients")
    return f"{counts.sum():,} beats ({', '.join(f'{count:,} {name}' for name, count in counts.items())}), {whose}"


def main_record(counts: pd.Series) -> tuple[str, float]:
    """Name the record with most of the beats that are counted, and its share of them; NaN if there is no beat."""
    return str(counts.idxmax()), float(counts.max() / counts.sum())


def test_records(protocol: str, model: str) -> pd.DataFrame:
    """Read the scores per beat of each record of the test fold; the index names the records."""
    return pd.read_csv(METRICS / protocol / model / "records.csv", dtype={"record": str}).set_index("record")


def training_records(database: Database) -> pd.DataFrame:
    """Read how many beats of each class the records of DS1 have; the index names the records."""
    records = pd.read_csv(METRICS / "explore" / "records.csv", dtype={"record": str}).set_index("record")
    return records.loc[list(database.ds1)]


def limits(protocol: str, model: str, database: Database, fusion_se: float | None) -> str:
    """Say what a model should not be asked, from the numbers: which class it misses, and on whom a figure hangs."""
    if protocol == "intra_patient":
        return "For patients that it has not seen, take the inter-patient model and its figures instead."
    trained, share_trained = main_record(training_records(database)["F"])
    tested, share_tested = main_record(test_records(protocol, model)["S_support"])
    return (
        f"{percent(fusion_se)} of the fusion beats (F) of the test fold are found: {percent(share_trained)} of those "
        f"to train on are of record {trained}. {percent(share_tested)} of its S beats are of record {tested}, so the "
        "intervals are wide."
    )


def capital(label: str) -> str:
    """Begin with a capital, and leave the rest as it is."""
    return label[:1].upper() + label[1:]


def titled(models: str) -> str:
    """Name a classifier, or two of them, as a reader would."""
    return models.replace("cnn", "CNN").replace("rnn", "RNN").replace(" - ", " − ")


def percent(share: float | None, digits: int = 0) -> str:
    """Print a share; a dash where it is not defined."""
    return UNTOLD if share is None or pd.isna(share) else f"{100 * share:.{digits}f} %"
