"""Pages that open anywhere: plain values in, one HTML text out that loads nothing but itself."""

import base64
import hashlib
import math
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import ClassVar, Literal

import jinja2

WIDE_PX = 1000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Shown:
    """A number in words of its own, such as a score with its interval or a share in percent; sorted by ``value``.

    Where ``value`` is None or NaN the cell is shown as not defined, whatever its text.
    """

    value: int | float | None
    text: str


Cell = str | int | float | Shown | None


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows; readers can sort it by any column.

    None and NaN are shown as not defined, integers with thousands separators, floats with ``digits`` decimals.

    Raises
    ------
    ValueError
        If a row has not one cell for each column.
    """

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    digits: int = 3

    def __post_init__(self) -> None:
        """Refuse rows of another length than the columns."""
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Table {self.caption!r}: row {number} has {len(row)} cells for {len(self.columns)} columns."
                )

    @property
    def numeric(self) -> list[bool]:
        """Whether each column is free of text."""
        return [not any(isinstance(row[i], str) for row in self.rows) for i in range(len(self.columns))]


@dataclass(frozen=True)
class Picture:
    """A PNG with its caption, and the words (``alt``) that stand for it where it cannot be seen.

    Raises
    ------
    ValueError
        If the bytes are not those of a PNG.
    """

    kind: ClassVar[str] = "picture"
    png: bytes
    caption: str
    alt: str

    def __post_init__(self) -> None:
        """Refuse what is no PNG."""
        if len(self.png) < 24 or not self.png.startswith(PNG_SIGNATURE) or self.png[12:16] != b"IHDR":
            raise ValueError(f"Picture {self.caption!r}: the bytes are not a PNG, they begin with {self.png[:8]!r}.")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height

    @property
    def wide(self) -> bool:
        """Whether it has more to show than fits on a phone, where it then scrolls sideways."""
        return self.size[0] >= WIDE_PX

    @property
    def uri(self) -> str:
        """The picture itself as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain text."""

    kind: ClassVar[str] = "text"
    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Listing:
    """Terms and their values, such as names of files and their checksums."""

    kind: ClassVar[str] = "listing"
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """A titled part of the page; with two ``columns`` its pictures stand side by side where the screen allows."""

    title: str
    blocks: Sequence[Table | Picture | Text | Listing]
    columns: Literal[1, 2] = 1

    @property
    def slug(self) -> str:
        """The id of the section, from its title alone, so that links to it stay valid."""
        return re.sub(r"[\W_]+", "-", self.title.casefold()).strip("-")


def page(
    title: str, lead: Sequence[str], sections: Sequence[Section], warning: str = "", notices: Sequence[str] = ()
) -> str:
    """Write a page; the same arguments give the same text.

    Parameters
    ----------
    title
        The one top-level heading.
    lead
        Paragraphs that precede the sections.
    sections
        The body; the table of contents lists their titles.
    warning
        What no reader may miss, shown as a banner below the title.
    notices
        What may make this very page wrong, each a banner below that.

    Raises
    ------
    ValueError
        If a title has neither letters nor digits, or two sections would share an id.
    """
    for slug, count in Counter(section.slug for section in sections).items():
        if not slug or count > 1:
            raise ValueError(f"Each section needs an id of its own, from its title: {slug!r} occurs {count} times.")
    template = _ENVIRONMENT.get_template("page.html")
    return template.render(title=title, lead=lead, sections=sections, warning=warning, notices=notices)


def decimals(value: float, digits: int = 3) -> str:
    """Print a number with so many decimals; what rounds to zero has no sign."""
    return f"{value:z.{digits}f}"


def _number(cell: int | float | Shown, digits: int) -> str:
    if isinstance(cell, Shown):
        return cell.text
    return f"{cell:,}" if isinstance(cell, Integral) else decimals(cell, digits)


def _value(cell: int | float | Shown | None) -> int | float | None:
    return cell.value if isinstance(cell, Shown) else cell


def _defined(cell: int | float | Shown | None) -> bool:
    value = _value(cell)
    return value is not None and not math.isnan(value)


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"number": _number, "value": _value, "sha256": _sha256}
_ENVIRONMENT.tests |= {"given": _defined}
