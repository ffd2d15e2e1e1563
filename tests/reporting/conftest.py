"""A page with one of everything, of made-up values."""

from io import BytesIO

import pytest
from matplotlib.figure import Figure

from stages.reporting.page import Listing, Picture, Section, Table, Text, page


def drawing(width: float) -> bytes:
    """A drawing so many inches of 110 pixels wide, labelled SYNTHETIC."""
    figure = Figure(figsize=(width, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1, 2, 3], [0.2, 0.9, 0.4, 0.6], color="#0072B2")
    axes.set(title="SYNTHETIC", xlabel="time (s)", ylabel="amplitude (mV)")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def png() -> bytes:
    """A drawing of 660 by 440 pixels."""
    return drawing(6)


@pytest.fixture(scope="session")
def wide_png() -> bytes:
    """A drawing of 1320 by 440 pixels."""
    return drawing(12)


@pytest.fixture(scope="session")
def sections(png) -> list[Section]:
    """Tables narrow and wide, pictures alone and in pairs, words and checksums."""
    scores = Table(
        "Scores of made-up beats, one row a model",
        ("model", "beats", "macro F1", "F1 S", "difference", "95 % interval"),
        [
            ("cnn", 49691, 0.682, 0.817, -0.003, "0.532 to 0.727"),
            ("rnn", 1250, 0.678, None, -0.021, "0.513 to 0.732"),
            ("ensemble", 300, 0.7, 0.9, 0.016, "0.526 to 0.739"),
            ("majority", 20, 0.235, 0.0, float("nan"), None),
        ],
        note="A dash stands for a score that is not defined: no beat of that class was there to find.",
    )
    wide = Table(
        "Confusion of classes in more columns than a phone can show, with a caption too long for one line there",
        ("record", *(f"{truth} as {called}" for truth in "NSVFQ" for called in "NSVF")),
        [(str(record), *range(record, record + 20)) for record in (100, 1000, 232)],
    )
    return [
        Section("Scores", [Text(["Figures are made up.", "They only fill the page."]), scores, wide]),
        Section(
            "Curves & matrices",
            [
                Text(["On a wide screen the two protocols stand side by side."]),
                Picture(png, "Inter-patient: SYNTHETIC.", "A line that rises, falls and rises again."),
                Picture(png, "Patient-mixed: SYNTHETIC.", "A line that rises, falls and rises again."),
            ],
            columns=2,
        ),
        Section("One picture", [Picture(png, "SYNTHETIC, on its own.", "A line with one peak after a second.")]),
        Section("Provenance", [Listing([("data/processed/test", "0123456789abcdef" * 8), ("Python", "3.11")])]),
    ]


@pytest.fixture(scope="session")
def sample(sections) -> str:
    """The whole page, as HTML."""
    lead = ["Nothing on this page was measured.", "It shows what a page looks like, from the first to the last block."]
    return page("A report of SYNTHETIC heartbeats", lead, sections, warning="SYNTHETIC data. Not a medical device.")
