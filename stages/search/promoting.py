"""Writing a configuration into params.yaml without touching anything else in it."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

NULL, FLOAT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:float"
"""Tags of YAML 1.1."""

DIGITS = 3
"""Significant digits of a promoted number: more would claim a precision that the scores of trials do not have."""


def promote(text: str, section: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Set keys of one section of a YAML text; comments, order and every other key stay.

    Parameters
    ----------
    text : str
    section : tuple of str
        Path to the section.
    values : mapping
        Keys that the section has, and their new values.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If the text has no such section, or the section no such key.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), lambda writer, _: writer.represent_scalar(NULL, "null"))
    yaml.representer.add_representer(float, lambda writer, number: writer.represent_scalar(FLOAT, _decimal(number)))
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    keys = document
    for name in section:
        keys = keys[name]
    for key, value in values.items():
        if key not in keys:
            raise KeyError(f"{'.'.join((*section, key))} is not there")
        if keys[key] != value:
            keys[key] = value
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue()


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Round fractions to the digits that a search can tell apart; whole numbers and choices stay as they are."""
    return {key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for key, value in values.items()}


def _decimal(number: float) -> str:
    """Write a finite number with a decimal point: to PyYAML, which reads params.yaml, 1e-05 is a word."""
    mantissa, exponent, power = repr(number).partition("e")
    return (mantissa if "." in mantissa else f"{mantissa}.0") + exponent + power
