"""A dataset's models beside all their metrics, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.board_table import MODEL, on_validation, score
from genbench.output.captions import left_out
from genbench.output.tables import Column, Row, Table
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.overview import Overview, OverviewRow


def tables(overviews: Sequence[Overview]) -> list[Table]:
    """Return a table for each overview: a column per metric, the better direction in its head, ranks in brackets."""
    return [
        Table(
            printable(f"All metrics on {overview.dataset}{on_validation(overview.target)}"),
            [MODEL, *(Column(head, right=True, wraps=False) for head in _heads(overview))],
            [_row(row) for row in overview.rows],
            list(_caption(overview)),
            in_blocks=True,
        )
        for overview in overviews
    ]


def _heads(overview: Overview) -> list[str]:
    directions = ("higher" if board.metric.higher_is_better else "lower" for board in overview.boards)
    return [printable(f"{head}, {way}") for head, way in zip(overview.heads, directions, strict=True)]


def _row(row: OverviewRow) -> Row:
    is_best = all(each is not None and (each.rank_low, each.rank_high) == (1, 1) for each in row.on)
    return Row((printable(row.model), *map(cell, row.on)), best=is_best, aside=row.kind != "ours")


def cell(row: BoardRow | None) -> str:
    """Return a score as `board_table.score` does, and in brackets its rank, or a range of ranks."""
    if row is None:
        return numbers.MISSING
    return f"{score(row)} ({numbers.ranks(row.rank_low, row.rank_high)})" if row.rank_low else score(row)


def _caption(overview: Overview) -> Iterator[str]:
    if any(row.mean_rank for row in overview.rows):
        yield "mean ± standard error; in brackets the rank, or a range of ranks that seeds cannot tell apart."
        yield from left_out(overview.boards)
        yield "Models by their mean rank, which is no result: metrics do not count alike."
    else:
        yield "mean ± standard error. No ranks: those take two seeds or more of each model."
    yield f"Protocols: {', '.join(_protocol(board) for board in overview.boards)}; each metric's own table says more."


def _protocol(board: Board) -> str:
    return f"{board.metric.label} {board.protocol_id}"
