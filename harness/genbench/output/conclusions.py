"""What boards come to, in words: which models lead, by which metrics, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

from genbench.errors import printable
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
    for head, board in zip(overview.heads, overview.boards, strict=True):
        by_leaders.setdefault(tuple(sorted(leaders(board))), []).append(head)
    order = sorted(by_leaders, key=lambda names: (len(names) != 1, not names, -len(by_leaders[names])))
    return [printable(_sentence(names, by_leaders[names], len(overview.boards)), 2000) for names in order]


def leaders(board: Board) -> tuple[str, ...]:
    """Return the models that may be the best of a board, () where fewer than two are ranked."""
    ranked = board.ranked
    return tuple(row.model for row in ranked if row.rank_low == 1) if len(ranked) > 1 else ()


def in_words(board: Board) -> str:
    """Return what a board's seeds tell of its models, in a sentence."""
    ranked = board.ranked
    if len(ranked) < 2:
        return f"{UNRANKED}."
    names = leaders(board)
    behind = len(ranked) - len(names)
    first = f"{names[0]} leads alone" if len(names) == 1 else f"{_listed(names)} may each be the best"
    if not behind:
        return printable(f"No model is told apart from the best: {_listed(names)}.", 2000)
    return printable(f"{first}; {behind} of {len(ranked)} models {_are(behind)} worse than the best.", 2000)


def _sentence(names: Sequence[str], heads: Sequence[str], boards: int) -> str:
    by = f"by {len(heads)} of {boards} {'metric' if boards == 1 else 'metrics'}: {', '.join(heads)}"
    if not names:
        return f"{UNRANKED} ({by})."
    if len(names) == 1:
        return f"{names[0]} leads alone {by}."
    return f"{_listed(names)} cannot be told apart at the top {by}."


def _listed(names: Sequence[str]) -> str:
    """Return names as in a sentence; of many, the first and how many more there are."""
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
