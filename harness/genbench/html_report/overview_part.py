"""The table at the top of a dataset: models beside metrics, coloured by what ranks a model may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genbench.errors import printable
from genbench.html_report.places import anchor
from genbench.html_report.stored_trials import StoredTrials
from genbench.output import numbers
from genbench.output.board_table import interval, seeds
from genbench.output.names import metrics
from genbench.output.overview_table import cell, tables
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.overview import Overview

SHADES = 5
"""Colours from the first rank (0) to the last."""


@dataclass(frozen=True)
class Cell:
    """A score as the table prints it; shade is None without a rank; value sorts, None last; hint has every seed.

    mark is "verified" where all of its scores were, "differs" where one came out otherwise, else "".
    """

    text: str
    shade: int | None = None
    value: float | None = None
    hint: str = ""
    leads: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Line:
    """A model and its scores; origin is where on the page it is said how they were made."""

    model: str
    kind: str
    origin: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Head:
    """A metric: what it is called, the better direction, and where on the page its own part is."""

    name: str
    direction: str
    board: str


@dataclass(frozen=True)
class OverviewPart:
    """The table with its heads and the lines of its caption."""

    heads: Sequence[Head]
    lines: Sequence[Line]
    caption: Sequence[str]


def overview_part(overview: Overview, stored: StoredTrials) -> OverviewPart:
    """Return the table of a dataset, with the marks of what was verified."""
    heads = [
        Head(printable(name), "higher" if board.metric.higher_is_better else "lower", board_place(board))
        for name, board in zip(metrics(overview.boards), overview.boards, strict=True)
    ]
    lines = [
        Line(
            printable(row.model),
            row.kind,
            origin(overview, row.model, row.kind),
            [_cell(on, board, stored) for on, board in zip(row.on, overview.boards, strict=True)],
        )
        for row in overview.rows
    ]
    return OverviewPart(heads, lines, tables([overview])[0].caption)


def board_place(board: Board) -> str:
    """Return the place on the page of a metric's own part."""
    return anchor("board", board.protocol_id)


def origin(overview: Overview, model: str, kind: str) -> str:
    """Return the place on the page where it is said how a model's scores on a dataset were made."""
    return anchor("origin", overview.dataset, overview.target, kind, model)


def _cell(row: BoardRow | None, board: Board, stored: StoredTrials) -> Cell:
    if row is None or row.summary is None:
        return Cell(cell(row), hint="; ".join(row.reasons) if row else "")
    shade, leads = _shade(row, len(board.ranked)), row.rank_low == 1
    return Cell(cell(row), shade, row.summary.mean, _hint(row, board), leads, _mark(row, stored))


def _mark(row: BoardRow, stored: StoredTrials) -> str:
    found = {mark.verdict if mark else "" for mark in map(stored.mark, row.scores)}
    if "differs" in found:
        return "differs"
    return "verified" if found == {"verified"} else ""


def _shade(row: BoardRow, ranked: int) -> int | None:
    """Return the colour of the middle of a rank range."""
    if row.rank_low is None or row.rank_high is None:
        return None
    middle = (row.rank_low + row.rank_high) / 2
    return min(SHADES - 1, int(SHADES * (middle - 1) / max(1, ranked - 1)))


def _hint(row: BoardRow, board: Board) -> str:
    """Return what the cell has no room for: the interval over seeds, and each seed's score."""
    if row.claim:
        return printable(row.claim.source)
    each = ", ".join(f"s{s.trial.seed} {numbers.number(s.value)}" for s in row.scores)
    between = f"95 % interval {interval(row)}; " if row.summary and row.summary.low is not None else ""
    return printable(f"{between}{seeds(row)} seeds: {each}, {board.metric.unit}", 1000)
