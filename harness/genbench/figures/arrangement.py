"""How figures are laid out: how many images in rows and columns, with titles or without, in which format of file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from genbench.errors import RequestError, printable

Format = Literal["png", "pdf"]
FORMATS: tuple[Format, ...] = ("png", "pdf")

MOST = 40
"""Rows or columns of a grid."""


@dataclass(frozen=True)
class Layout:
    """The rows and columns asked for, None for those of each kind; whether titles are drawn; the format of files."""

    grid: tuple[int, int] | None = None
    titles: bool = True
    form: Format = "png"

    def shape(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the rows and columns asked for, else these."""
        return self.grid or (rows, columns)


USUAL = Layout()


def parse_grid(text: str) -> tuple[int, int]:
    """Return the rows and columns of a text like 4x8. Raises RequestError for another form, and beyond the bounds."""
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*[xX×]\s*([0-9]{1,9})\s*", text)
    rows, columns = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1 <= rows <= MOST and 1 <= columns <= MOST):
        raise RequestError(
            f"--grid {printable(text)!r}: expected ROWSxCOLUMNS, each from 1 to {MOST}, as in 4x8 for 4 rows of 8"
        )
    return rows, columns
