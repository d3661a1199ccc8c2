"""Tables as HTML: what a terminal shows, with all columns. Classes say what a style sheet needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from genbench.output.tables import Row, Table

STYLE = """<style>
.genbench th, .genbench td { text-align: left } .genbench .number { text-align: right }
.genbench caption { text-align: left; font-weight: bold } .genbench .best { font-weight: bold }
</style>"""
"""For where no page has its own."""


def to_html(tables: Sequence[Table]) -> str:
    """Return each table as HTML, its title above it and its caption below."""
    return "\n".join(map(_table, tables))


def for_notebook(tables: Sequence[Table]) -> str:
    """Return tables with a style of their own."""
    return f"{STYLE}\n{to_html(tables)}"


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col"{_class(column.right)}>{escape(column.head)}</th>' for column in table.columns)
    rows = "\n".join(_row(row, table) for row in table.rows)
    lines = "<br>\n".join(map(escape, table.caption))
    below = f"\n<p>{lines}</p>" if lines else ""
    head = f"<caption>{escape(table.title)}</caption>\n<thead><tr>{heads}</tr></thead>"
    return f'<table class="genbench">\n{head}\n<tbody>\n{rows}\n</tbody>\n</table>{below}'


def _row(row: Row, table: Table) -> str:
    cells = "".join(
        f"<td{_class(column.right)}>{escape(cell)}</td>" for column, cell in zip(table.columns, row.cells, strict=True)
    )
    marks = {"best": row.best, "aside": row.aside, "apart": row.apart}
    names = " ".join(name for name, is_so in marks.items() if is_so)
    return f'<tr class="{names}">{cells}</tr>' if names else f"<tr>{cells}</tr>"


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""
