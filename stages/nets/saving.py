"""A trained network and all that inference needs, in one ``.keras`` file.

The scaler of the RR features is a layer of the network. What the network cannot say itself (window, class order,
protocol, versions) is a JSON entry in the archive, which Keras passes over. Equal networks give equal bytes.
"""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from stages.files.writing import replacing
from stages.nets.backend import keras
from stages.nets.classifying import ModelFileError

ABOUT = "about.json"
KERAS_METADATA = "metadata.json"
SHARED = "shared_object_id"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date a ZIP archive can carry, given to every entry."""


def save_classifier(path: Path, model: keras.Model, about: dict[str, Any]) -> None:
    """Write a network without its optimizer; the file appears when it is complete.

    Parameters
    ----------
    path : Path
        Ends in ``.keras``.
    model : keras.Model
    about : dict
        Of JSON values: whatever inference needs beside the network.
    """
    bare = keras.Model.from_config(model.get_config())  # a clone would be compiled like the model
    bare.set_weights(model.get_weights())
    with replacing(path) as packed, tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / path.name
        bare.save(saved)
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
            for name in sorted(source.namelist()):
                target.writestr(
                    zipfile.ZipInfo(name, EPOCH), _repeatable(name, source.read(name)), zipfile.ZIP_DEFLATED
                )
            entry = json.dumps(about, indent=2, sort_keys=True)
            target.writestr(zipfile.ZipInfo(ABOUT, EPOCH), entry, zipfile.ZIP_DEFLATED)


def load_network(path: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Read a network and what was saved with it; no code of the file is run (Keras safe mode).

    Raises
    ------
    ModelFileError
        If the file is missing, is no archive or was not written by :func:`save_classifier`.
    """
    if not path.is_file():
        raise ModelFileError(f"{path} is missing; run `dvc repro` or `dvc pull`")
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(ABOUT))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path} is no classifier of this pipeline ({error}); train it again") from error
    return keras.saving.load_model(path, compile=False, safe_mode=True), about


def _repeatable(name: str, content: bytes) -> bytes:
    """Take out of Keras's own entries what differs between equal networks: the date, and addresses in memory as ids."""
    if not name.endswith(".json"):
        return content
    numbers: dict[int, int] = {}

    def numbered(entry: dict[str, Any]) -> dict[str, Any]:
        if SHARED in entry:
            entry[SHARED] = numbers.setdefault(entry[SHARED], len(numbers) + 1)
        return entry

    described = json.loads(content, object_hook=numbered)
    if name == KERAS_METADATA:
        described.pop("date_saved")
    return json.dumps(described).encode()
