"""Tables in GitHub's Markdown."""

import re
from collections.abc import Iterable, Sequence

from genbench.output.tables import Row, Table

_MARKUP = re.compile(r"([\\`*_\[\]<>|~#$&])")


def to_markdown(tables: Sequence[Table]) -> str:
    """Return a heading, a table and a caption for each table."""
    return "\n".join(map(_table, tables))


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in a table's cell too."""
    return _MARKUP.sub(r"\\\1", text)


def _table(table: Table) -> str:
    lines = [
        f"### {escape(table.title)}",
        "",
        _row(column.head for column in table.columns),
        _row("---:" if column.right else "---" for column in table.columns),
        *(_row(_cells(row)) for row in table.rows),
        "",
        escape(" ".join(table.caption)),
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    return [f"**{escape(cell)}**" if place in row.best_cells else escape(cell) for place, cell in enumerate(row.cells)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
