"""A table as data: built once from what is known, rendered for a terminal, a notebook or a document."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its head, its alignment, and what becomes of it in a narrow terminal.

    Those that give way are left out, the greatest gives_way first (0: never); cells of a column that wraps are folded.
    """

    head: str
    right: bool = False
    gives_way: int = 0
    wraps: bool = True


@dataclass(frozen=True)
class Row:
    """A row's printed cells, in the order of its table's columns.

    best if its rank can only be 1; aside if it takes no part in the ranking; apart if it may not be compared with the
    rows above it; best_cells are the places of cells that are best in their columns.
    """

    cells: tuple[str, ...]
    best: bool = False
    aside: bool = False
    apart: bool = False
    best_cells: Collection[int] = ()


@dataclass(frozen=True)
class Table:
    """Rows under a title, and the lines of their caption, which a terminal sets below a rule if ruled.

    in_blocks says that columns for which a terminal lacks room follow below, beside the first column again.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    caption: Sequence[str] = ()
    ruled: bool = False
    in_blocks: bool = False
