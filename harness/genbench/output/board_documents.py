"""Boards as the tables of a document: one per metric, protocol and dataset, with the columns that a paper needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.board_table import (
    INTERVAL,
    LONGEST,
    MODEL,
    RANK,
    SAMPLES,
    SCORE,
    SEEDS,
    interval,
    score,
    seeds,
    title,
)
from genbench.output.captions import left_out
from genbench.output.tables import Row, Table
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.claims import Claim

COLUMNS = (RANK, MODEL, SCORE, INTERVAL, SEEDS, SAMPLES)


class _Measured(NamedTuple):
    """What the rows of a table share; protocol_id is "" where a published number's is not known in full."""

    metric: str
    dataset: str
    protocol_id: str
    protocol: str


def tables(boards: Sequence[Board]) -> list[Table]:
    """Return a table for each board, and for published numbers on its dataset that have another protocol.

    Those whose protocol has no id share a table where they differ from ours in the same way.
    """
    groups: dict[_Measured, list[tuple[Board, BoardRow]]] = {}
    for board in boards:
        ours = _Measured(board.metric.label, board.dataset, board.protocol_id, board.protocol)
        for row in board.rows:
            groups.setdefault(ours, []).append((board, row))
        for row in board.alone:
            groups.setdefault(_published(row, ours), []).append((board, row))
    return [_table(measured, several[0][0], [row for _, row in several]) for measured, several in groups.items()]


def _published(row: BoardRow, ours: _Measured) -> _Measured:
    claim = row.claim
    return _Measured(claim.metric, ours.dataset, claim.protocol_id, claim.differs) if claim else ours


def _table(measured: _Measured, board: Board, rows: Sequence[BoardRow]) -> Table:
    above = title(f"{_text(measured.metric)} on {_text(measured.dataset)}", board)
    return Table(above, COLUMNS, [_row(row) for row in rows], list(_caption(measured, board, rows)))


def _row(row: BoardRow) -> Row:
    rank = numbers.ranks(row.rank_low, row.rank_high)
    cells = (
        rank,
        model_and_kind(row),
        score(row),
        interval(row),
        seeds(row),
        _text(row.samples_are) or numbers.MISSING,
    )
    return Row(cells, best=rank == "1")


def model_and_kind(row: BoardRow) -> str:
    """Return the model's name, and behind it why it takes no part in the ranking, if that is its kind."""
    source = _text(row.claim.source) if row.claim else ""
    kind = "" if row.kind == "ours" else f" ({', '.join(filter(None, [row.kind, source]))})"
    return f"{_text(row.model)}{kind}"


def _caption(measured: _Measured, board: Board, rows: Sequence[BoardRow]) -> Iterator[str]:
    protocol = _text(measured.protocol_id) or "not known in full"
    yield f"Protocol {protocol}{': ' if measured.protocol else ''}{_text(measured.protocol)}."
    if any(row.stderr is not None for row in rows if not row.claim):
        over = "folds" if board.folds > 1 else "training seeds"
        yield f"±: standard error over {over}; interval: Student's t, on the logit scale for scores with bounds."
    errors = {_meaning(row.claim) for row in rows if row.claim and row.claim.error is not None}
    if errors:
        yield f"± of published rows: {' or '.join(sorted(errors))}."
    yield from left_out([board])
    if any(row.rank_low is None for row in rows):
        yield "Without a rank (-): published and reference rows, and models with fewer than two seeds."


def _meaning(claim: Claim) -> str:
    """Return what a published error was taken over, or what its source says of it."""
    words = {"folds": "over folds", "images": "over test examples"}
    return words.get(claim.error_over) or _text(claim.error_means) or "over what is not known"


def _text(value: str) -> str:
    return printable(value, LONGEST)
