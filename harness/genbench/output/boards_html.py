"""Boards as HTML tables, for notebooks: what a terminal shows, with all columns."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from genbench.output.board import Column, columns_of, title
from genbench.output.captions import caption
from genbench.ranking.board import Board, BoardRow


def to_html(boards: Sequence[Board]) -> str:
    """Return boards as HTML: a table for each, its title above it and its caption below."""
    return "\n".join(map(_board, boards))


def _board(board: Board) -> str:
    columns = columns_of(board)
    heads = "".join(f"<th>{escape(column.head)}</th>" for column in columns)
    rows = "\n".join(_row(row, columns) for row in (*board.rows, *board.alone))
    below = "<br>\n".join(map(escape, caption(board)))
    above = f"<p><b>{escape(title(board, f' on {board.dataset}'))}</b></p>"
    return f"{above}\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n<p>{below}</p>"


def _row(row: BoardRow, columns: Sequence[Column]) -> str:
    cells = "".join(
        f'<td style="text-align: {"right" if column.right else "left"}">{escape(column.cell(row))}</td>'
        for column in columns
    )
    return f"<tr>{cells}</tr>"
