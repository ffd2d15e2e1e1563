"""How a beat is shown to the networks: the window around its fiducial, and the names of its rhythm features."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

RR_FEATURES = ("log_rr_pre_over_mean", "log_rr_post_over_mean", "log_rr_pre_over_post", "log_rr_pre_over_local")
"""The columns of :func:`stages.ecg.rhythm.rr_intervals` that the networks see: logarithms of ratios,
free of heart rate, with half and double equally far from 1. Their reference is the mean of the recording, as in
de Chazal et al. (2004)."""

P_FEATURES = ("p_consistency", "p_similarity")
"""The columns of :func:`stages.ecg.atrial.p_waves`, which the networks see beside the RR features."""

FEATURES = RR_FEATURES + P_FEATURES
"""The columns of a table of beats that the networks see beside the windows."""

KACHUEE_HZ = 125
KACHUEE_SAMPLES = 187


@dataclass(frozen=True)
class BeatFormat:
    """How a beat is shown to the networks.

    Attributes
    ----------
    window : {"fixed", "kachuee"}
        ``fixed``: the same physical span around each fiducial. ``kachuee``: see
        :func:`stages.ecg.beats.kachuee_windows`; rate, span and template do not apply to it, and the baseline stays in.
    leads : tuple of str
        Lead names in order of preference.
    fs_hz : int
        Sampling rate of the windows.
    before_s, after_s : float
        Span of the window before and after the fiducial, s.
    refine_s : float
        The fiducial is moved to the largest deflection within this span around the annotation, s; 0 leaves it.
    baseline_s : tuple of float
        Spans of the two median filters that estimate the baseline, s; empty leaves the baseline in.
    amplitude : {"record", "none"}
        ``record`` divides by the median R amplitude of the recording; ``none`` keeps mV.
    template : bool
        Adds a second channel: the beat less the median beat of the recording, which no label is needed for.
    statistics : {"record", "past"}
        What the patient's own amplitude, median beat, RR intervals and P waves are taken from: ``record`` is the whole
        recording, as a Holter analysis has it; ``past`` is the recording up to the beat, as in live use. Either way a
        beat waits for the next one, which ends its RR interval.
    """

    window: Literal["fixed", "kachuee"]
    leads: tuple[str, ...]
    fs_hz: int
    before_s: float
    after_s: float
    refine_s: float
    baseline_s: tuple[float, ...]
    amplitude: Literal["record", "none"]
    template: bool
    statistics: Literal["record", "past"]

    @property
    def past_only(self) -> bool:
        """Whether nothing that follows the next beat may be looked at."""
        return self.statistics == "past"

    @property
    def samples_before(self) -> int:
        """Samples of a fixed window that precede the fiducial."""
        return round(self.before_s * self.fs_hz)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels of a beat."""
        if self.window == "kachuee":
            return KACHUEE_SAMPLES, 1
        return self.samples_before + round(self.after_s * self.fs_hz), 2 if self.template else 1

    @property
    def unit(self) -> str:
        """What an amplitude of 1 is."""
        if self.window == "kachuee":
            return "range of its segment"
        return "median R wave" if self.amplitude == "record" else "mV"

    @property
    def rate_hz(self) -> int:
        """Sampling rate of the windows, whichever kind they are."""
        return KACHUEE_HZ if self.window == "kachuee" else self.fs_hz

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Time of each sample of a window, s: from the fiducial, or from the beginning of a Kaggle window."""
        before = self.samples_before if self.window == "fixed" else 0
        return (np.arange(self.shape[0]) - before) / self.rate_hz
