"""All that a dataset's models were scored by, side by side: a row per model, a column per board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from genbench.ranking.board import Board, BoardRow
from genbench.ranking.scores import Kind


@dataclass(frozen=True)
class OverviewRow:
    """A model, and its row on each board of the overview, None where it is not on one."""

    model: str
    kind: Kind
    on: Sequence[BoardRow | None]

    @property
    def mean_rank(self) -> float | None:
        """Return the mean over boards of the middle of its rank range; None where it has no rank.

        It orders rows, and is no result: boards are not alike in what they measure, nor independent.
        """
        ranks = [(row.rank_low + row.rank_high) / 2 for row in self.on if row and row.rank_low and row.rank_high]
        return fmean(ranks) if ranks else None


@dataclass(frozen=True)
class Overview:
    """The boards of a dataset and a split, and the models: ours by their mean rank, references, published rows.

    target is the split scored against, test or valid: scores of both never share a table. It is "" where no metric
    looks at either; beside others, such a one stands in the overviews of both.
    """

    dataset: str
    target: str
    boards: Sequence[Board]
    rows: Sequence[OverviewRow]

    @property
    def dataset_digest(self) -> str:
        """Return the digest of the dataset, or of its folds together."""
        return self.boards[0].dataset_digest

    @property
    def heads(self) -> list[str]:
        """Return what each board is called: its metric's label, with the protocol's id where several have the same."""
        labels = [board.metric.label for board in self.boards]
        return [
            board.metric.label if labels.count(board.metric.label) == 1 else f"{board.metric.label} {board.protocol_id}"
            for board in self.boards
        ]


def overviews(boards: Sequence[Board]) -> list[Overview]:
    """Return an overview for each dataset and split, in the order in which these first come."""
    by_data: dict[tuple[str, str], list[Board]] = {}
    for board in boards:
        by_data.setdefault((board.dataset, board.dataset_digest), []).append(board)
    return [Overview(dataset, *split) for (dataset, _), several in by_data.items() for split in _splits(several)]


def _splits(boards: Sequence[Board]) -> list[tuple[str, Sequence[Board], Sequence[OverviewRow]]]:
    """Return the boards of each split that scores are computed against, and their rows."""
    targets = list(dict.fromkeys(board.target for board in boards if board.target)) or [""]
    by_split = [(target, [board for board in boards if board.target in ("", target)]) for target in targets]
    return [(target, several, _rows(several)) for target, several in by_split]


def _rows(boards: Sequence[Board]) -> list[OverviewRow]:
    by_model: dict[tuple[Kind, str], list[BoardRow | None]] = {}
    for place, board in enumerate(boards):
        for row in board.rows:
            by_model.setdefault((row.kind, row.model), [None] * len(boards))[place] = row
    rows = [OverviewRow(model, kind, on) for (kind, model), on in by_model.items()]
    return sorted(rows, key=_order)


def _order(row: OverviewRow) -> tuple[int, bool, float]:
    """Return what rows are sorted by; those that are alike in it stay in the order of the first board."""
    kinds: Sequence[Kind] = ("ours", "reference", "published")
    return kinds.index(row.kind), row.mean_rank is None, row.mean_rank or 0.0
