"""What boards come to, in words: which models lead, by which metrics, and what cannot be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from genbench.errors import printable
from genbench.output import names
from genbench.ranking.board import Board
from genbench.ranking.overview import Overview

MOST_NAMED = 4
"""Models that a sentence names; of more it gives the number."""

LONGEST = 2000

UNRANKED = "No ranks: those take two models with two seeds or more"


def conclusions(overview: Overview) -> list[str]:
    """Return sentences on a dataset: who leads alone, who shares a lead, who is worse than another, what has no ranks.

    A model leads alone where its rank can only be 1; those share the lead whose range of ranks begins with 1.
    """
    boards = dict(zip(names.metrics(overview.boards), overview.boards, strict=True))
    return [printable(line, LONGEST) for line in (*_leads(boards), *_worse(boards), *_unranked(boards))]


def leaders(board: Board) -> tuple[str, ...]:
    """Return the models that may be the best of a board, () where fewer than two are ranked."""
    ranked = board.ranked
    return tuple(row.model for row in ranked if row.rank_low == 1) if len(ranked) > 1 else ()


def in_words(board: Board) -> str:
    """Return what a board's seeds tell of its models, in a sentence."""
    ranked, best = board.ranked, leaders(board)
    if not best:
        return f"{UNRANKED}."
    behind = len(ranked) - len(best)
    worse = f"; {behind} of {len(ranked)} models {'is' if behind == 1 else 'are'} worse than another" if behind else ""
    if _leads_alone(board):
        return printable(f"{best[0]} leads alone{worse}.", LONGEST)
    subject = _listed(best) if behind else f"Any model, {_listed(best)},"
    return printable(f"{subject} may be the best{worse}.", LONGEST)


def _leads_alone(board: Board) -> bool:
    return len(board.ranked) > 1 and any((row.rank_low, row.rank_high) == (1, 1) for row in board.ranked)


def _leads(boards: Mapping[str, Board]) -> Iterator[str]:
    """Yield a sentence for each model that leads alone, for each few that share a lead, and one where many do."""
    alone: dict[tuple[str, ...], list[str]] = {}
    few: dict[tuple[str, ...], list[str]] = {}
    many: list[str] = []
    for name, board in boards.items():
        best = leaders(board)
        if _leads_alone(board):
            alone.setdefault(best, []).append(name)
        elif len(best) > MOST_NAMED:
            many.append(f"{name} ({len(best)} of {len(board.ranked)})")
        elif best:
            few.setdefault(tuple(sorted(best)), []).append(name)
    for models, by in _most_first(alone):
        yield f"{_listed(models)} leads alone {_by(by, boards)}."
    for models, by in _most_first(few):
        yield f"{_listed(models)} may be the best {_by(by, boards)}."
    if many:
        yield f"More than {MOST_NAMED} models may be the best {_by(many, boards)}."


def _worse(boards: Mapping[str, Board]) -> Iterator[str]:
    """Yield which models are worse than another, by how many metrics: those that are so most often first."""
    counts = Counter(row.model for board in boards.values() for row in board.ranked if (row.rank_low or 0) > 1)
    if counts:
        listed = ", ".join(f"{model} by {count}" for model, count in counts.most_common())
        yield f"Worse than another model, of {_metrics(len(boards))}: {listed}."


def _unranked(boards: Mapping[str, Board]) -> Iterator[str]:
    without = [name for name, board in boards.items() if not leaders(board)]
    if without:
        yield f"{UNRANKED} ({_by(without, boards)})."


def _most_first(groups: Mapping[tuple[str, ...], list[str]]) -> list[tuple[tuple[str, ...], list[str]]]:
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def _by(metrics: Sequence[str], boards: Mapping[str, Board]) -> str:
    return f"by {len(metrics)} of {_metrics(len(boards))}: {', '.join(metrics)}"


def _metrics(count: int) -> str:
    return "1 metric" if count == 1 else f"{count} metrics"


def _listed(models: Sequence[str]) -> str:
    """Return models as in a sentence; of many, the first and how many more there are."""
    if len(models) > MOST_NAMED:
        return f"{', '.join(models[: MOST_NAMED - 1])} and {len(models) - MOST_NAMED + 1} more"
    return " and ".join(filter(None, [", ".join(models[:-1]), models[-1]]))
