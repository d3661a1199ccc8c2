"""Plain lists in columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from genbench.errors import printable

LONGEST = 4000
"""Characters of a cell: the names of all plugins of a package are one."""


def listing(title: str, rows: Sequence[tuple[str, ...]]) -> Table:
    """Return rows under a title, the first column as wide as it needs, the others folded and never cut."""
    table = Table(
        box=None,
        show_header=False,
        title=title,
        title_style="bold",
        title_justify="left",
        padding=(0, 2, 0, 0),
        min_width=len(title),  # a title is folded into the table's width
    )
    table.add_column(no_wrap=True)
    for _ in range(max(map(len, rows), default=1) - 1):
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell, LONGEST)) for cell in row))
    if not rows:
        table.add_row(Text("none"))
    return table
