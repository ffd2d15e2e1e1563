"""What the three commands of every day print fits on a screen: counted from the committed files, without a flag."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stages.config.params import MODELS, PROTOCOLS

SHARED = {"accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se_average", "veb_se_average"}
"""Headlines of every classifier, whatever the protocol."""


def dvc(*arguments):
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def metrics():
    """File -> headlines, as `dvc metrics show` reads them."""
    shown = json.loads(dvc("metrics", "show", "--json"))[""]["data"]
    return {path: file["data"] for path, file in shown.items()}


def test_all_metrics_together_are_eighty_values_at_most(metrics):
    values = [value for headlines in metrics.values() for value in headlines.values()]
    assert all(value is None or isinstance(value, int | float) for value in values), "headlines are flat numbers"
    assert len(values) <= 80


def test_a_file_holds_a_handful(metrics):
    assert all(1 <= len(headlines) <= 6 for headlines in metrics.values())


def test_the_table_of_metrics_has_twenty_rows_and_sixteen_columns_at_most(metrics):
    table = dvc("metrics", "show", "--md").strip().splitlines()
    assert len(table) - 2 == len(metrics) <= 20
    assert len(table[0].strip("|").split("|")) <= 16


def test_every_classifier_has_the_same_headlines(metrics):
    for protocol in PROTOCOLS:
        for model in (*MODELS, "ensemble"):
            assert set(metrics[f"metrics/{protocol}/{model}.json"]) == SHARED


def test_the_table_of_experiments_has_260_columns_at_most():
    (header, *_) = csv.reader(io.StringIO(dvc("exp", "show", "--csv")))
    assert len(header) <= 260


def test_dvc_yaml_reads_like_a_recipe():
    assert len(Path("dvc.yaml").read_text().splitlines()) <= 350
