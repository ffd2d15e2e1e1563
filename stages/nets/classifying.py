"""Classifying beats with a trained network, whatever runs it. No Keras is needed here."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.nets.adapting import Adaptation, Adapter

Run = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Gives the probabilities of the classes, shape (beats, classes), from windows and rhythm features."""


class ModelFileError(ValueError):
    """A file is no classifier of this project; the message names it and what to do."""


@dataclass(frozen=True)
class Classifier:
    """A network ready for inference.

    Attributes
    ----------
    run : callable
    about : dict
        What inference needs beside the network: window, class order, how probabilities are adapted.
    """

    run: Run
    about: dict[str, Any]

    def predict(
        self, signals: NDArray[np.float32], rhythm: NDArray[np.float32], records: ArrayLike
    ) -> NDArray[np.float32]:
        """Give the probabilities of the classes, shape (beats, classes).

        ``records`` names the recording of each beat; all beats of a recording should be there, in time order, for
        the probabilities are adapted to it as the model says (``adaptation``). One recording is classified at a time,
        so that it gets the same bits whatever others are there.

        Raises
        ------
        ModelFileError
            As :func:`adaptation_of` does.
        """
        adaptation, records = adaptation_of(self.about), np.asarray(records)
        probabilities = np.empty((len(signals), len(self.about["classes"])), dtype=np.float32)
        for record in np.unique(records):
            rows = records == record
            beats = np.asarray(signals[rows])
            adapt = Adapter(adaptation, beats, rhythm[rows], records[rows])
            probabilities[rows] = adapt(self.run(beats, rhythm[rows]))
        return probabilities


def adaptation_of(about: dict[str, Any], name: str = "the model") -> Adaptation:
    """Read how a model adapts probabilities to a recording.

    Raises
    ------
    ModelFileError
        If an earlier version of the project described it; ``name`` begins the message.
    """
    expected = [field.name for field in fields(Adaptation)]
    described = about.get("adaptation", {})
    try:
        return Adaptation(**described)
    except TypeError as error:
        raise ModelFileError(
            f"{name} is of an earlier version of the project: of its adaptation {', '.join(expected)} were expected, "
            f"{', '.join(described) or 'nothing'} found; run `dvc repro` to train and export it again"
        ) from error


def ensemble_of(classifiers: list[Classifier]) -> Callable[..., NDArray[np.float32]]:
    """Average the probabilities that several classifiers give to the same beats."""
    return lambda *beats: np.mean([classifier.predict(*beats) for classifier in classifiers], axis=0, dtype=np.float32)
