"""How a wide table is laid out on a page of LaTeX: the size of its letters, and which columns stand side by side."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from genbench.output.tables import Column, Table


@dataclass(frozen=True)
class Size:
    """A size of letters: its commands; in points, the height of a line, and the width of a bold digit."""

    commands: str
    line: float
    letter: float

    @property
    def between(self) -> float:
        """Return the gap between columns, in points."""
        return 8.0 if self.commands else 12.0


NARROW = r"\setlength{\tabcolsep}{4pt}"
SIZES = (
    Size("", 12, 4.9),
    Size(rf"\small{NARROW}", 11, 4.5),
    Size(rf"\footnotesize{NARROW}", 9.5, 4.2),
    Size(rf"\scriptsize{NARROW}", 8, 3.9),
    Size(rf"\tiny{NARROW}", 6, 3.3),
)
"""Of the class article with letters of 10 points, the greatest first. Small letters are relatively wide."""

WIDTH, HEIGHT = 345.0, 420.0
"""In points: of a text of that class, and what of a page's height a caption leaves."""

HEADS = 5
"""Lines that head and rules of a block take."""

WIDEST_HEAD = 18
"""Letters of a head from which it is set in several lines."""


def head_lines(column: Column) -> list[str]:
    """Return a column's head in the lines that it is set in."""
    return textwrap.wrap(column.head, WIDEST_HEAD, break_long_words=False, break_on_hyphens=False)


def fitted(table: Table) -> tuple[str, list[list[int]]]:
    """Return the commands for the largest letters by which a table fits a page, and the columns of each block.

    A block has the first column and as many others as fit side by side. What fits by no size is as it is by the
    smallest.
    """
    laid_out = [(size, _blocks(table, size)) for size in SIZES]
    fitting = (each for each in laid_out if len(each[1]) * (len(table.rows) + HEADS) * each[0].line <= HEIGHT)
    size, blocks = next(fitting, laid_out[-1])
    return size.commands, blocks


def _blocks(table: Table, size: Size) -> list[list[int]]:
    widths = [_letters(table, place) * size.letter + size.between for place in range(len(table.columns))]
    blocks: list[list[int]] = [[0]]
    for place in range(1, len(widths)):
        taken = sum(widths[other] for other in blocks[-1])
        if taken + widths[place] > WIDTH and len(blocks[-1]) > 1:
            blocks.append([0])
        blocks[-1].append(place)
    return blocks


def _letters(table: Table, place: int) -> int:
    """Return how many letters wide a column is."""
    cells = [row.cells[place] for row in table.rows]
    return max(map(len, [*head_lines(table.columns[place]), *cells]), default=0)
