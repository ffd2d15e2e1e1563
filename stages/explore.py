"""Show what is in the database: beats and raw records in, tables and figures in ``metrics/explore/`` out."""

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from stages.config.params import Explore, ParamsError, load_params
from stages.config.paths import BEATS, METRICS, RAW
from stages.ecg import aami
from stages.ecg.beatset import BeatSet, read_beats
from stages.ecg.databases import DATABASES, Database
from stages.ecg.recordings import RecordError, read_recording
from stages.figures import scores as figures
from stages.figures.style import save_png

SETS = {"all": "all records", "ds1": "DS1", "ds2": "DS2", "left_out": "left out"}
"""Sets of records, and how a figure names them."""

SCATTERED = 20000
"""Beats in the RR scatter; more would only paint over each other."""

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        explore(read_beats(BEATS), load_params().explore, RAW, METRICS / "explore")
    except (ParamsError, RecordError, FileNotFoundError) as error:
        sys.exit(f"explore: {error}")


def explore(beats: BeatSet, settings: Explore, raw: Path, folder: Path) -> None:
    """Write every table and figure."""
    database = DATABASES[beats.about.database]
    title = f"{database.name} {database.version}" + (", SYNTHETIC data" if database.synthetic else "")
    rng = np.random.default_rng(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)

    counts = count_classes(beats.table, database)
    counts.to_csv(folder / "class_counts.csv", index=False)
    bars = counts.rename(columns={"set": "fold"}).replace({"fold": SETS})
    save_png(figures.class_count_figure(bars, title), folder / "class_counts.png")

    record_table(beats.table).round(6).to_csv(folder / "records.csv", index=False)

    means, spreads, times_s = mean_beats(beats)
    tidy_means(means, spreads, times_s).round(6).to_csv(folder / "mean_beats.csv", index=False)
    shown = figures.beats_figure(means, spreads, times_s, aami.CLASSES, title, beats.about.fmt.unit)
    save_png(shown, folder / "mean_beats.png")

    some = beats.table.iloc[np.sort(rng.permutation(len(beats.table))[:SCATTERED])]
    labels = aami.class_indices(some["symbol"])
    scatter = figures.rr_scatter(some["rr_pre_s"].to_numpy(), some["rr_post_s"].to_numpy(), labels, title)
    save_png(scatter, folder / "rr_scatter.png")

    for name in aami.CLASSES:
        draw_strip(beats, name, settings.strip_s, rng, raw / database.name, folder / f"strip_{name}.png", title)
    write_summary(beats.table, title, folder / "summary.json")


def count_classes(table: pd.DataFrame, database: Database) -> pd.DataFrame:
    """Count the beats of each class in each set of records, one count a row."""
    rows = []
    for name in SETS:
        of_set = table.loc[table["record"].isin(database.records_of(name)), "aami"].value_counts()
        rows += [
            {"set": name, "class": c, "beats": int(of_set.get(c, 0)), "set_class": f"{name} {c}"} for c in aami.CLASSES
        ]
    return pd.DataFrame(rows)


def record_table(table: pd.DataFrame) -> pd.DataFrame:
    """Describe each record in a row: subject, lead, beats of each class, usual RR interval, flagged beats."""
    groups = table.groupby("record", sort=True)
    described = groups.agg(
        subject=("subject", "first"),
        lead=("lead", "first"),
        beats=("aami", "size"),
        rr_mean_s=("rr_mean_s", "first"),
        edge=("edge", "sum"),
        invalid=("invalid", "sum"),
        flat=("flat", "sum"),
    )
    classes = pd.crosstab(table["record"], table["aami"]).reindex(columns=aami.CLASSES, fill_value=0)
    return described.join(classes).reset_index()


def mean_beats(beats: BeatSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the first channel of the beats of each class.

    Returns
    -------
    means, spreads : ndarray, shape (classes, samples)
        Mean and standard deviation; NaN for a class without beats.
    times_s : ndarray, shape (samples,)
        From the fiducial, s.
    """
    signals, labels, fmt = beats.signals, beats.labels, beats.about.fmt
    means = np.full((len(aami.CLASSES), fmt.shape[0]), np.nan)
    spreads = means.copy()
    for label in np.unique(labels):
        of_class = signals[labels == label, :, 0]
        means[label], spreads[label] = of_class.mean(axis=0, dtype=np.float64), of_class.std(axis=0, dtype=np.float64)
    return means, spreads, fmt.times_s


def tidy_means(means: np.ndarray, spreads: np.ndarray, times_s: np.ndarray) -> pd.DataFrame:
    """Put mean and spread into one row a class and sample."""
    parts = [
        pd.DataFrame({"class": name, "time_s": times_s, "mean": mean, "sd": spread})
        for name, mean, spread in zip(aami.CLASSES, means, spreads, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def draw_strip(
    beats: BeatSet, name: str, length_s: float, rng: np.random.Generator, raw: Path, path: Path, title: str
) -> None:
    """Draw the signal around a beat of a class, chosen at random, with its annotations."""
    of_class = beats.table[beats.table["aami"] == name]
    if of_class.empty:
        raise RecordError(f"{beats.about.database} has no beat of class {name}, so there is no strip to draw")
    beat = of_class.iloc[rng.integers(len(of_class))]
    recording = read_recording(raw, beat["record"], (beat["lead"],))
    first = max(0, round((beat["time_s"] - length_s / 2) * recording.fs))
    end = min(len(recording.signal), first + round(length_s * recording.fs))
    inside = (recording.samples >= first) & (recording.samples < end)
    strip = figures.rhythm_strip(
        np.arange(first, end) / recording.fs,
        recording.signal[first:end],
        recording.samples[inside] / recording.fs,
        recording.symbols[inside],
        f"Record {beat['record']}, {beat['lead']}, around a beat of class {name}; {title}",
    )
    save_png(strip, path)


def write_summary(table: pd.DataFrame, title: str, path: Path) -> None:
    """Write the headline counts."""
    classes = table["aami"].value_counts()
    summary = {
        "database": title,
        "records": int(table["record"].nunique()),
        "subjects": int(table["subject"].nunique()),
        "beats": len(table),
        "classes": {name: int(classes.get(name, 0)) for name in aami.CLASSES},
        "flagged": {flag: int(table[flag].sum()) for flag in ("edge", "invalid", "flat")},
    }
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    log.info("%s", summary)


if __name__ == "__main__":
    main()
