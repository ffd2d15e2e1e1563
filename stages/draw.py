"""Draw all pictures but those of the searches, from the numbers that the other stages have written.

The tables in ``metrics/``, the mean beats and RR intervals in ``data/`` and, for strips, the raw records in;
``metrics/figures/`` out.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stages.config import paths
from stages.config.params import MODELS, PROTOCOLS, Params
from stages.config.runner import run_stage
from stages.ecg import aami, folds
from stages.ecg.databases import Database
from stages.ecg.recordings import RecordError, Recording, read_recording
from stages.figures import learning, scores
from stages.figures.style import save_png
from stages.files.writing import read_json

FIGURES = paths.METRICS / "figures"
SETS = {"all": "all records", "ds1": "DS1", "ds2": "DS2", "left_out": "left out"}
"""Sets of records of explore, and how a figure names them."""

STRIP_S = 5.0
"""Length of the strip around a mistake."""

TITLES = {"cnn": "CNN", "rnn": "RNN", "ensemble": "ensemble"}

Drawing = tuple[str, Figure]
"""Name of a picture below ``metrics/figures/``, without its suffix, and what is on it."""


def draw(params: Params) -> None:
    """Draw every picture."""
    for subject in (draw_beats, draw_folds, draw_training, draw_evaluation, draw_comparison, draw_robustness):
        for name, figure in subject(params):
            save_png(figure, FIGURES / f"{name}.png")


def table_of(path: Path) -> pd.DataFrame:
    """Read a table; records are names, and N A is no missing value."""
    return pd.read_csv(path, dtype={"record": str, "fold": str}, keep_default_na=False, na_values=[""])


def draw_beats(params: Params) -> Iterator[Drawing]:
    """Draw what explore counted: classes, mean beats, RR intervals and example strips."""
    database, folder = params.download.resolved_database, paths.METRICS / "explore"
    title = f"{database.name} {database.version}" + (", SYNTHETIC data" if database.synthetic else "")
    counts = table_of(folder / "class_counts.csv").rename(columns={"set": "fold"}).replace({"fold": SETS})
    yield "explore/class_counts", scores.class_count_figure(counts, title)
    means = table_of(folder / "mean_beats.csv")
    mean, spread = (matrix_of(means, "class", "time_s", values) for values in ("mean", "sd"))
    times_s, unit = means["time_s"].unique(), params.extract.beat_format.unit
    yield "explore/mean_beats", scores.beats_figure(mean, spread, times_s, aami.CLASSES, title, unit)
    intervals = pd.read_parquet(paths.RR_INTERVALS)
    labels = pd.Categorical(intervals["class"], categories=list(aami.CLASSES)).codes
    yield "explore/rr_scatter", scores.rr_scatter(intervals["rr_pre_s"], intervals["rr_post_s"], labels, title)
    for strip in table_of(folder / "strips.csv").to_dict("records"):
        recording = read_recording(paths.RAW / database.name, strip["record"], (strip["lead"],))
        first, around = recording.around(strip["time_s"], strip["length_s"])
        times = (first + np.arange(len(around.signal))) / around.fs
        beats, symbols = (first + around.samples) / around.fs, list(around.symbols)
        caption = f"Record {strip['record']}, {strip['lead']}, around a beat of class {strip['class']}; {title}"
        yield f"explore/strip_{strip['class']}", scores.rhythm_strip(times, around.signal, beats, symbols, caption)


def matrix_of(table: pd.DataFrame, rows: str, columns: str, values: str) -> pd.DataFrame:
    """Arrange a column of numbers as a matrix, the classes in their order."""
    matrix = table.set_index([rows, columns])[values].unstack(columns)  # noqa: PD010
    matrix = matrix.loc[list(aami.CLASSES)]
    return matrix[list(aami.CLASSES)] if set(matrix.columns) == set(aami.CLASSES) else matrix


def draw_folds(params: Params) -> Iterator[Drawing]:
    """Draw how many beats of each class train and test."""
    for protocol in PROTOCOLS:
        counts = table_of(paths.METRICS / "balance" / protocol / "folds.csv")
        fold = counts["fold"].where(counts["fold"] == folds.TEST, "train")
        both = counts.assign(fold=fold).groupby(["fold", "class"], sort=False)["beats"].sum().reset_index()
        yield f"balance/{protocol}", scores.class_count_figure(both, label_of(params, protocol))


def draw_training(params: Params) -> Iterator[Drawing]:
    """Draw how the networks of the cross-validation were fitted."""
    for protocol in PROTOCOLS:
        for model in MODELS:
            history = table_of(paths.METRICS / "training" / protocol / model / "history.csv")
            title = f"{model} {label_of(params, protocol)}"
            yield f"training/{protocol}_{model}", learning.learning_curves_figure(history, title)


def draw_evaluation(params: Params) -> Iterator[Drawing]:
    """Draw how each network fared on its test fold."""
    for protocol in PROTOCOLS:
        for model in MODELS:
            folder, title = paths.METRICS / protocol / model, f"{TITLES[model]}, {label_of(params, protocol)}"
            drawn: dict[str, Callable[[pd.DataFrame, str], Figure]] = {
                "confusion": confusion_figure,
                "roc": scores.roc_figure,
                "pr": scores.pr_figure,
                "records": scores.record_heatmap,
            }
            for name, figure_of in drawn.items():
                yield f"{protocol}/{model}/{name}", figure_of(table_of(folder / f"{name}.csv"), title)
            error = read_json(folder / "scores.json")["expected_calibration_error"]
            bins = table_of(folder / "reliability.csv")
            yield f"{protocol}/{model}/reliability", scores.reliability_figure(bins, error, title)
            means = table_of(paths.DRAWN_FROM / protocol / f"{model}.csv")
            unit = params.extract.beat_format.unit
            yield f"{protocol}/{model}/pairs", scores.pairs_figure(*pairs_of(means), title, unit)
            mistakes = table_of(folder / "mistakes.csv")
            yield f"{protocol}/{model}/mistakes", mistakes_figure(mistakes, params, f"Most confidently wrong: {title}")


def confusion_figure(pairs: pd.DataFrame, title: str) -> Figure:
    """Draw counted pairs as a matrix: true classes in rows, predicted ones in columns."""
    return scores.confusion_figure(matrix_of(pairs, "actual", "predicted", "beats"), title)


def pairs_of(means: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrange the mean beats of pairs of classes.

    Returns
    -------
    means : ndarray of float64, shape (5, 5, samples)
        NaN where there is no such beat.
    counts : ndarray of int64, shape (5, 5)
    times_s : ndarray of float64, shape (samples,)
    """
    times_s = np.sort(means["time_s"].unique())
    size = len(aami.CLASSES)
    values, counts = np.full((size, size, len(times_s)), np.nan), np.zeros((size, size), dtype=np.int64)
    for (actual, predicted), of_pair in means.groupby(["actual", "predicted"]):
        at = aami.CLASSES.index(actual), aami.CLASSES.index(predicted)
        values[at], counts[at] = of_pair["mean"], of_pair["beats"].iloc[0]
    return values, counts, times_s


def mistakes_figure(mistakes: pd.DataFrame, params: Params, title: str) -> Figure:
    """Draw the rhythm around beats that were called wrong."""
    raw = paths.RAW / params.download.resolved_database.name
    strips = []
    for beat in mistakes.to_dict("records"):
        recording = read_recording(raw, beat["record"], (beat["lead"],))
        strips.append(strip_of(recording, beat))
    times_s = params.extract.beat_format.times_s
    return scores.strips_figure(strips, (times_s[0], times_s[-1]), title)


def strip_of(recording: Recording, beat: dict) -> scores.Strip:
    """Cut the strip around a beat, with the true symbols and what the beat itself was called."""
    first, around = recording.around(beat["time_s"], STRIP_S)
    called, fs = f"{beat['true']}→{beat['predicted']}", recording.fs
    samples = first + around.samples
    return scores.Strip(
        times_s=(first + np.arange(len(around.signal))) / fs - beat["time_s"],
        signal_mv=around.signal,
        beat_times_s=samples / fs - beat["time_s"],
        symbols=[
            called if sample == beat["sample"] else str(symbol)
            for sample, symbol in zip(samples, around.symbols, strict=True)
        ],
        caption=f"{beat['record']} at {beat['time_s']:.1f} s: {called} with {beat['confidence']:.3f}",
    )


def draw_comparison(params: Params) -> Iterator[Drawing]:
    """Draw precision, recall and F1 of the models side by side."""
    table = table_of(paths.METRICS / "compare" / "per_class.csv")
    for protocol in PROTOCOLS:
        label = label_of(params, protocol)
        of_protocol = table[table["protocol"] == label].replace({"model": TITLES})
        yield f"compare/{protocol}", scores.comparison_figure(of_protocol, label)


def draw_robustness(params: Params) -> Iterator[Drawing]:
    """Draw how noise changes the scores."""
    folder = paths.METRICS / "robustness"
    tables = (table_of(folder / f"{name}.csv") for name in ("classes", "detector"))
    classes, detector = (table.fillna({"snr_db": np.inf}) for table in tables)
    yield "robustness", scores.robustness_figure(classes, detector, read_json(folder / "about.json")["title"])


def label_of(params: Params, protocol: str) -> str:
    """Say under which protocol, and on which kind of data, a figure was obtained."""
    database: Database = params.download.resolved_database
    return folds.label(protocol, database.synthetic)


if __name__ == "__main__":
    run_stage(draw, errors=(RecordError,))
