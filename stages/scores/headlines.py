"""The few scores that stand for a classifier wherever several are compared, such as in ``dvc metrics show``."""

import math
from collections.abc import Mapping
from typing import Any

HEADLINES = ("accuracy", "macro_f1_nsvf", "f1_S", "f1_V", "sveb_se_average", "veb_se_average")
"""The same for every protocol and model. The last two are what the average patient gets: sensitivity of EC57 after the
learning period, as the mean of the records."""

DIGITS = 6


def headlines(scores: Mapping[str, Any]) -> dict[str, float | None]:
    """Pick the headlines.

    Parameters
    ----------
    scores : mapping
        Of :func:`stages.scores.per_beat.beat_scores` and :func:`stages.scores.ec57.main_figures`.

    Returns
    -------
    dict
        Rounded; None where a score is undefined.
    """
    return {name: rounded(scores[name]) for name in HEADLINES}


def rounded(value: float | None) -> float | None:
    """Round a score to what a table shows; one that is undefined (None or NaN) is None."""
    return None if value is None or math.isnan(value) else round(float(value), DIGITS)
