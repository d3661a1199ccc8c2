"""Tables as HTML, for notebooks: what a terminal shows, with all columns."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from genbench.output.tables import Row, Table


def to_html(tables: Sequence[Table]) -> str:
    """Return each table as HTML, its title above it and its caption below."""
    return "\n".join(map(_table, tables))


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(column.head)}</th>" for column in table.columns)
    rows = "\n".join(_row(row, table) for row in table.rows)
    below = "<br>\n".join(map(escape, table.caption))
    above = f"<p><b>{escape(table.title)}</b></p>"
    return f"{above}\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n<p>{below}</p>"


def _row(row: Row, table: Table) -> str:
    cells = "".join(
        f'<td style="text-align: {"right" if column.right else "left"}">{escape(cell)}</td>'
        for column, cell in zip(table.columns, row.cells, strict=True)
    )
    return f"<tr>{cells}</tr>"
