"""Boards as tables: ranked rows first, then references and published numbers, unranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.captions import caption
from genbench.output.tables import Column, Row, Table
from genbench.ranking.board import Board, BoardRow

LONGEST = 2000
"""Characters of a foreign text that a table shows."""


def tables(boards: Sequence[Board]) -> list[Table]:
    """Return boards as tables: those of one metric on several datasets as one, with a column per dataset."""
    return [table(several[0]) if len(several) == 1 else _side_by_side(several) for several in _together(boards)]


def table(board: Board) -> Table:
    """Return a board as a table of its own."""
    columns = _columns(board)
    rows = [
        Row(tuple(cell(row) for cell in columns.values()), aside=row.kind != "ours", apart=apart)
        for apart, several in ((False, board.rows), (True, board.alone))
        for row in several
    ]
    above = title(f"{board.metric.title} on {board.dataset}", board)
    return Table(above, list(columns), rows, caption(board), ruled=True)


def score(row: BoardRow) -> str:
    """Return mean ± standard error; a published row's as its source prints it; what became of a row without one."""
    if row.claim:
        return numbers.as_published(row.claim.value, row.claim.error)
    if row.summary is None:
        return ", ".join(row.statuses) or numbers.MISSING
    return numbers.mean_and_error(row.summary.mean, row.stderr)


def interval(row: BoardRow) -> str:
    """Return the 95 % interval over seeds."""
    summary = row.summary
    return numbers.interval(summary.low, summary.high, summary.stderr) if summary and not row.claim else numbers.MISSING


def seeds(row: BoardRow) -> str:
    """Return how many of the planned seeds have a score: 4/5."""
    return numbers.MISSING if row.claim else numbers.seeds(row.seeds_done, row.seeds_planned)


def _rank(row: BoardRow) -> str:
    """Return a row's rank range, or a dot for a row that is not ranked."""
    return "·" if row.kind != "ours" else numbers.ranks(row.rank_low, row.rank_high)


def _parameters(row: BoardRow) -> int | None:
    found = [s.trial.stages["fit"].details.get("parameters") for s in row.scores if "fit" in s.trial.stages]
    return max((n for n in found if n is not None), default=None)


def _number(head: str, gives_way: int = 0) -> Column:
    return Column(head, right=True, gives_way=gives_way, wraps=False)


RANK, MODEL, SCORE, SEEDS = _number("rank"), Column("model"), _number("mean ± se"), _number("seeds")
INTERVAL = _number("95% interval", gives_way=1)
SAMPLES = Column("samples are", gives_way=2, wraps=False)
OVER_EXAMPLES = _number("se over examples", gives_way=5)
BY_METRIC = _number("se by metric")
"""The metric's own error of one seed; it never gives way, since the caption says what it is."""

CELLS: Mapping[Column, Callable[[BoardRow], str]] = {
    RANK: _rank,
    MODEL: lambda row: printable(row.model),
    SCORE: score,
    INTERVAL: interval,
    BY_METRIC: lambda row: numbers.number(row.stderr_metric, digits=2),
    SEEDS: seeds,
    _number("train", gives_way=3): lambda row: numbers.seconds(row.mean_of("fit")),
    SAMPLES: lambda row: row.samples_are,
    _number("parameters", gives_way=4): lambda row: numbers.count(_parameters(row)),
    OVER_EXAMPLES: lambda row: numbers.number(row.stderr_examples, digits=2),
    _number("sampling", gives_way=6): lambda row: numbers.seconds(row.mean_of("samples")),
}
"""What each column shows of a row."""


def _columns(board: Board) -> dict[Column, Callable[[BoardRow], str]]:
    """Return the columns of a board: of one seed, the metric's own error where an interval would stand."""
    without = (INTERVAL, OVER_EXAMPLES) if board.shows_own_errors else (BY_METRIC,)
    return {column: cell for column, cell in CELLS.items() if column not in without}


def title(what: str, board: Board) -> str:
    """Return what stands above a board: what it shows, the unit and the direction."""
    direction = "higher" if board.metric.higher_is_better else "lower"
    return printable(f"{what}{on_validation(board.target)}, {board.metric.unit}, {direction} is better", LONGEST)


def on_validation(target: str) -> str:
    """Return what a title says where scores are no test results."""
    return ", scored against validation images" if target == "valid" else ""


def _together(boards: Sequence[Board]) -> list[list[Board]]:
    """Return the boards that make a table together: one protocol but for the dataset, and no dataset twice."""
    groups: list[list[Board]] = []
    for board in boards:
        for group in groups:
            first = group[0]
            key = (first.metric.label, first.protocol, first.target)
            same = key == (board.metric.label, board.protocol, board.target)
            if same and board.dataset not in [other.dataset for other in group]:
                group.append(board)
                break
        else:
            groups.append([board])
    return groups


def _side_by_side(boards: Sequence[Board]) -> Table:
    """Return a table like the paper's Table 1: a row per model, a column per dataset, the rank in brackets."""
    cells: dict[tuple[str, str], list[str]] = {}
    for place, board in enumerate(boards):
        for row in (*board.rows, *board.alone):
            shown = f"{score(row)} ({_rank(row)})" if row.rank_low else score(row)
            cells.setdefault((row.kind, row.model), [numbers.MISSING] * len(boards))[place] = shown
    rows = [
        Row((printable(model), *shown), aside=kind != "ours")
        for kind in ("ours", "reference", "published")
        for (of, model), shown in cells.items()
        if of == kind
    ]
    columns = [MODEL, *(_number(f"{printable(board.dataset)} (rank)") for board in boards)]
    lines = [line for board in boards for line in caption(board, named=True)]
    return Table(title(boards[0].metric.title, boards[0]), columns, rows, lines, ruled=True)
