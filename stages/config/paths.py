"""Where the stages keep things, relative to the top folder of the project; dvc.yaml names the same places."""

from pathlib import Path

RAW = Path("data/raw")
NOISE = Path("data/noise")
EXTERNAL = Path("data/external")
BEATS = Path("data/beats")
BALANCED = Path("data/balanced")
SEARCHES = Path("data/searches")
PREDICTIONS = Path("data/predictions")
DRAWN_FROM = Path("data/drawn_from")
RR_INTERVALS = DRAWN_FROM / "rr_intervals.parquet"
ANNOTATIONS = Path("data/annotations")
MODELS = Path("models")
METRICS = Path("metrics")
