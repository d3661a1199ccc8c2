"""A dataset's models beside all their metrics as a paper's table: titles and arrows in its head, the best in bold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.errors import printable
from genbench.output import names, numbers
from genbench.output.board_documents import model_and_kind
from genbench.output.board_table import LONGEST, MODEL, on_validation, score
from genbench.output.captions import left_out
from genbench.output.tables import Column, Row, Table
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.overview import Overview, OverviewRow


def tables(overviews: Sequence[Overview]) -> list[Table]:
    """Return a table for each overview: a row per model, a column per metric, mean ± standard error in the cells."""
    return [_table(overview, name) for overview, name in zip(overviews, _called(overviews), strict=True)]


def _called(overviews: Sequence[Overview]) -> list[str]:
    """Return what the dataset of each is called; where other data are called the same, with digits of the digest."""
    called = [(names.dataset(overview.dataset), overview.dataset_digest) for overview in overviews]
    digests = {name: {digest for other, digest in called if other == name} for name, _ in called}
    return [name if len(digests[name]) == 1 else f"{name} ({digest[:8]})" for name, digest in called]


def _table(overview: Overview, dataset: str) -> Table:
    metrics, shared = names.metrics_and_shared(overview.boards)
    heads = [
        printable(f"{name} {'↑' if board.metric.higher_is_better else '↓'}")
        for name, board in zip(metrics, overview.boards, strict=True)
    ]
    return Table(
        printable(f"All metrics on {dataset}{on_validation(overview.target)}", LONGEST),
        [MODEL, *(Column(head, right=True, wraps=False) for head in heads)],
        [_row(row, overview) for row in overview.rows],
        [printable(line, LONGEST) for line in _caption(overview, metrics, shared)],
        in_blocks=True,
    )


def _row(row: OverviewRow, overview: Overview) -> Row:
    best = [
        place
        for place, (on, board) in enumerate(zip(row.on, overview.boards, strict=True), start=1)
        if on is not None and _is_best(on, board)
    ]
    some = next(on for on in row.on if on is not None)
    return Row((model_and_kind(some), *map(_cell, row.on)), aside=row.kind != "ours", best_cells=frozenset(best))


def _is_best(row: BoardRow, board: Board) -> bool:
    """Return whether no model is significantly better than a row's, where some is than another's.

    Bold for the greatest mean alone would claim what seeds do not show.
    """
    return row.rank_low == 1 and any((other.rank_low or 1) > 1 for other in board.ranked)


def _cell(row: BoardRow | None) -> str:
    if row is None:
        return numbers.MISSING
    partial = row.summary is not None and not row.claim and row.seeds_done < row.seeds_planned
    return f"{score(row)} ({numbers.seeds(row.seeds_done, row.seeds_planned)})" if partial else score(row)


def _caption(overview: Overview, metrics: Sequence[str], shared: Sequence[str]) -> Iterator[str]:
    rows = [(on, board) for row in overview.rows for on, board in zip(row.on, overview.boards, strict=True) if on]
    yield f"Mean ± standard error over {_over(overview.boards, [on for on, _ in rows])}; ↑: higher is better, ↓: lower."
    if any(_is_best(on, board) for on, board in rows):
        yield "Bold: no model is significantly better (Welch's t test, Holm over all pairs by a metric, alpha .05)."
    elif any(board.ranked for board in overview.boards):
        yield "No bold: the seeds tell none of these models from the best."
    else:
        yield "No ranks: those take two seeds or more of each model."
    yield from left_out(overview.boards)
    if any(_cell(on).endswith(")") for on, _ in rows):
        yield "In brackets: seeds with a score, of those asked for, where some have none."
    if shared:
        yield f"Metrics that take them: {', '.join(shared)}."
    yield f"{_units(overview.boards, metrics)}."
    yield f"Protocols, column by column: {', '.join(board.protocol_id for board in overview.boards)}."


def _over(boards: Sequence[Board], rows: Sequence[BoardRow]) -> str:
    """Return what errors are taken over: so many seeds where all are alike, folds where there are some."""
    seeds = sorted({row.seeds_done for row in rows if row.seeds_done})
    count = f"{seeds[0]} " if len(seeds) == 1 else ""
    folds = " or folds" if any(board.folds > 1 for board in boards) else ""
    return f"{count}training seeds{folds}" if seeds != [1] else f"training seeds{folds}"


def _units(boards: Sequence[Board], metrics: Sequence[str]) -> str:
    """Return the unit of each metric: In nats: Parzen log-likelihood; share: Recall."""
    by_unit: dict[str, list[str]] = {}
    for board, name in zip(boards, metrics, strict=True):
        by_unit.setdefault(board.metric.unit, []).append(name)
    return "In " + "; ".join(f"{unit}: {', '.join(called)}" for unit, called in by_unit.items())
