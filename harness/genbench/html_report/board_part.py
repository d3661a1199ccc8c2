"""A metric on a dataset: what its seeds tell, a picture of all of them, the table with its protocol and cautions."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from genbench.errors import printable
from genbench.html_report import cost_plot, dot_plot
from genbench.html_report.inline_svg import inline
from genbench.html_report.overview_part import board_place
from genbench.output import board_table, conclusions, tables_html
from genbench.ranking.board import Board


@dataclass(frozen=True)
class BoardPart:
    """A board: place is its id on the page; plot and costs are None where nothing has a score, or nothing a cost."""

    place: str
    title: str
    words: str
    plot: Markup | None
    costs: Markup | None
    table: Markup


def board_part(board: Board, name: str) -> BoardPart:
    """Return what is shown of a board whose metric is called by a name."""
    place = board_place(board)
    scored = any(row.summary for row in board.rows)
    on = f"{name} on {board.dataset}"
    costs = cost_plot.draw(board)
    return BoardPart(
        place,
        printable(name),
        conclusions.in_words(board),
        inline(dot_plot.draw(board), f"{place}-dots", printable(f"Scores by {on}, every seed")) if scored else None,
        inline(costs, f"{place}-costs", printable(f"Scores by {on} against what they cost")) if costs else None,
        Markup(tables_html.to_html([board_table.table(board)])),  # escaped there
    )
