"""Boards as tables for a terminal: ranked rows first, then references and published numbers, dim and unranked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.captions import caption
from genbench.output.console import text_console
from genbench.output.terminal import empty_table, print_caption
from genbench.ranking.board import Board, BoardRow


@dataclass(frozen=True)
class Column:
    """A column: its head, what it shows of a row, and how soon it gives way where the terminal is narrow (0: never)."""

    head: str
    cell: Callable[[BoardRow], str]
    gives_way: int = 0
    right: bool = True


INTERVAL = Column("95% interval", lambda row: interval(row), gives_way=1)
OVER_EXAMPLES = Column("se over examples", lambda row: numbers.number(row.stderr_examples, digits=2), gives_way=5)
BY_METRIC = Column("se by metric", lambda row: numbers.number(row.stderr_metric, digits=2))
"""The metric's own error of one seed; it never gives way, since the caption says what it is."""

COLUMNS = (
    Column("rank", lambda row: rank(row)),
    Column("model", lambda row: printable(row.model), right=False),
    Column("mean ± se", lambda row: score(row)),
    INTERVAL,
    Column("seeds", lambda row: seeds(row)),
    Column("train", lambda row: numbers.seconds(row.mean_of("fit")), gives_way=3),
    Column("samples are", lambda row: row.samples_are, gives_way=2, right=False),
    Column("parameters", lambda row: numbers.count(_parameters(row)), gives_way=4),
    OVER_EXAMPLES,
    Column("sampling", lambda row: numbers.seconds(row.mean_of("samples")), gives_way=6),
)


def print_boards(boards: Sequence[Board], console: Console) -> None:
    """Print boards: those of one metric on several datasets as one table with a column per dataset."""
    for several in _tables(boards):
        _print_title(several, console)
        table = _fitting(several[0], console) if len(several) == 1 else _side_by_side(several)
        console.print(table)
        console.print(Text("─" * min(_width(table, console), console.width)))
        for board in several:
            print_caption(caption(board, named=len(several) > 1), console)
        console.print()


def boards_as_text(boards: Sequence[Board], width: int = 80) -> str:
    """Return the printed boards as plain text of a width."""
    console, written = text_console(width)
    print_boards(boards, console)
    return "\n".join(line.rstrip() for line in written.getvalue().rstrip().splitlines())


def _tables(boards: Sequence[Board]) -> list[list[Board]]:
    """Return the boards that make a table together: one protocol but for the dataset, and no dataset twice."""
    tables: list[list[Board]] = []
    for board in boards:
        for table in tables:
            same = (table[0].metric["label"], table[0].protocol) == (board.metric["label"], board.protocol)
            if same and board.dataset not in [other.dataset for other in table]:
                table.append(board)
                break
        else:
            tables.append([board])
    return tables


def _print_title(boards: Sequence[Board], console: Console) -> None:
    where = f" on {boards[0].dataset}" if len(boards) == 1 else ""
    console.print(Text(title(boards[0], where), style="bold"))


def title(board: Board, where: str) -> str:
    """Return what stands above a board: its metric, where, the unit and the direction."""
    traits = board.metric["traits"]
    direction = "higher" if board.higher_is_better else "lower"
    return printable(f"{traits['title']}{where}, {traits['unit']}, {direction} is better")


def _fitting(board: Board, console: Console) -> Table:
    """Return the table with as many columns as the terminal has room for."""
    columns = columns_of(board)
    while True:
        table = _table(board, columns)
        last = max(columns, key=lambda column: column.gives_way)
        if _width(table, console) <= console.width or not last.gives_way:
            return table
        columns.remove(last)


def columns_of(board: Board) -> list[Column]:
    """Return the columns of a board: of one seed, the metric's own error where an interval would stand."""
    if not board.shows_own_errors:
        return list(COLUMNS)
    return [BY_METRIC if column is INTERVAL else column for column in COLUMNS if column is not OVER_EXAMPLES]


def _width(table: Table, console: Console) -> int:
    """Return how wide a table would be if there were room."""
    return console.measure(table, options=console.options.update(width=1000)).maximum


def _table(board: Board, columns: Sequence[Column]) -> Table:
    table = empty_table()
    for column in columns:
        wraps = column.head == "model"
        table.add_column(column.head, justify="right" if column.right else "left", no_wrap=not wraps, overflow="fold")
    for row in board.rows:
        table.add_row(*(Text(column.cell(row)) for column in columns), style="" if row.kind == "ours" else "dim")
    table.add_section()  # what was measured under another protocol stands apart
    for row in board.alone:
        table.add_row(*(Text(column.cell(row)) for column in columns), style="dim italic")
    return table


def _side_by_side(boards: Sequence[Board]) -> Table:
    """Return a table like the paper's Table 1: a row per model, a column per dataset, the rank in brackets."""
    table = empty_table()
    table.add_column("model", overflow="fold")
    for board in boards:
        table.add_column(f"{printable(board.dataset)} (rank)", justify="right", no_wrap=True)
    cells: dict[tuple[str, str], list[str]] = {}
    for place, board in enumerate(boards):
        for row in (*board.rows, *board.alone):
            shown = f"{score(row)} ({rank(row)})" if row.rank_low else score(row)
            cells.setdefault((row.kind, row.model), ["-"] * len(boards))[place] = shown
    for kind in ("ours", "reference", "published"):
        for (of, model), row_cells in cells.items():
            if of == kind:
                texts = [Text(cell) for cell in (printable(model), *row_cells)]
                table.add_row(*texts, style="" if kind == "ours" else "dim")
    return table


def rank(row: BoardRow) -> str:
    """Return a row's rank range, or a dot for a row that is not ranked."""
    return "·" if row.kind != "ours" else numbers.ranks(row.rank_low, row.rank_high)


def score(row: BoardRow) -> str:
    """Return mean ± standard error; a published row's as its source prints it; what became of a row without one."""
    if row.claim:
        return numbers.as_published(row.claim.value, row.claim.error)
    if row.summary is None:
        return ", ".join(row.statuses) or "-"
    return numbers.mean_and_error(row.summary.mean, row.stderr)


def interval(row: BoardRow) -> str:
    """Return the 95 % interval over seeds."""
    summary = row.summary
    return numbers.interval(summary.low, summary.high, summary.stderr) if summary and not row.claim else "-"


def seeds(row: BoardRow) -> str:
    """Return how many of the planned seeds have a score: 4/5."""
    return "-" if row.claim else f"{row.seeds_done}/{row.seeds_planned}"


def _parameters(row: BoardRow) -> int | None:
    found = [s.trial.stages["fit"].details.get("parameters") for s in row.scores if "fit" in s.trial.stages]
    return max((n for n in found if n is not None), default=None)
