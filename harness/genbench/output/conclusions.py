"""What boards come to, in words: which models lead, by which metrics, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

from genbench.errors import printable
from genbench.output import names
from genbench.ranking.board import Board
from genbench.ranking.overview import Overview

MOST_NAMED = 4
"""Models that a sentence names; of more it gives the number."""

UNRANKED = "No ranks: those take two models with two seeds or more"


def conclusions(overview: Overview) -> list[str]:
    """Return sentences on a dataset: those on models that lead alone first, then on ties, then on what has no ranks.

    A model leads alone where its rank can only be 1; several share the lead where 1 is in the range of each.
    """
    by_leaders: dict[tuple[str, ...], list[str]] = {}
    for name, board in zip(names.metrics(overview.boards), overview.boards, strict=True):
        by_leaders.setdefault(tuple(sorted(leaders(board))), []).append(name)
    order = sorted(by_leaders, key=lambda found: (len(found) != 1, not found, -len(by_leaders[found])))
    return [printable(_sentence(found, by_leaders[found], len(overview.boards)), 2000) for found in order]


def leaders(board: Board) -> tuple[str, ...]:
    """Return the models that may be the best of a board, () where fewer than two are ranked."""
    ranked = board.ranked
    return tuple(row.model for row in ranked if row.rank_low == 1) if len(ranked) > 1 else ()


def in_words(board: Board) -> str:
    """Return what a board's seeds tell of its models, in a sentence."""
    ranked = board.ranked
    if len(ranked) < 2:
        return f"{UNRANKED}."
    best = leaders(board)
    behind = len(ranked) - len(best)
    first = f"{best[0]} leads alone" if len(best) == 1 else f"{_listed(best)} may each be the best"
    if not behind:
        return printable(f"No model is told apart from the best: {_listed(best)}.", 2000)
    return printable(f"{first}; {behind} of {len(ranked)} models {_are(behind)} worse than the best.", 2000)


def _sentence(best: Sequence[str], metrics: Sequence[str], boards: int) -> str:
    by = f"by {len(metrics)} of {boards} {'metric' if boards == 1 else 'metrics'}: {', '.join(metrics)}"
    if not best:
        return f"{UNRANKED} ({by})."
    if len(best) == 1:
        return f"{best[0]} leads alone {by}."
    return f"{_listed(best)} cannot be told apart at the top {by}."


def _listed(models: Sequence[str]) -> str:
    """Return models as in a sentence; of many, the first and how many more there are."""
    if len(models) > MOST_NAMED:
        return f"{', '.join(models[: MOST_NAMED - 1])} and {len(models) - MOST_NAMED + 1} more"
    return " and ".join(filter(None, [", ".join(models[:-1]), models[-1]]))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
