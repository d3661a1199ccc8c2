"""Rows of boards brought together as pairs: two models of one board, or a model of two folders under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Literal

import numpy as np

from genbench.comparison.differences import Difference, Scores, difference
from genbench.comparison.power import is_limited_by_images, seeds_needed
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.examples import values_of_examples

Verdict = Literal["A", "B", "equal", "not told apart", "one seed"]
"""Which is better, or why that is not told."""


@dataclass(frozen=True)
class Pair:
    """A and B under one protocol, and the difference of their scores, A - B."""

    board: Board
    a: BoardRow
    b: BoardRow
    found: Difference

    @property
    def verdict(self) -> Verdict:
        """Return which is better, by the interval. One that lacks seeds may be worse, never better."""
        if not self.found.over_seeds:
            return "one seed"
        if self.found.low == self.found.high == 0:
            return "equal"
        if not self.found.sign:
            return "not told apart"
        better: Verdict = "A" if (self.found.sign > 0) == self.board.metric.higher_is_better else "B"
        return better if better not in self.incomplete else "not told apart"

    @property
    def incomplete(self) -> list[Literal["A", "B"]]:
        """Return which of them lack a score for some seeds."""
        sides: list[tuple[Literal["A", "B"], BoardRow]] = [("A", self.a), ("B", self.b)]
        return [name for name, row in sides if row.seeds_done < row.seeds_planned]

    @property
    def a_is_better(self) -> float | None:
        """Return the chance that A is better than B at a further seed of each, on the same test images."""
        greater = self.found.greater
        return greater if greater is None or self.board.metric.higher_is_better else 1 - greater

    @cached_property
    def seeds_needed(self) -> int | None:
        """Return how many seeds of each would tell them apart, were they as different as they seem."""
        return seeds_needed(self.found)

    @property
    def limited_by_images(self) -> bool:
        """Return whether the test images are too few for any number of seeds to tell."""
        return self.found.over_seeds and is_limited_by_images(self.found)


def pair(board: Board, a: BoardRow, b: BoardRow) -> Pair:
    """Return two rows with the difference of their scores; each has one score or more."""
    # Of images made elsewhere a seed is but the number of a file.
    found = difference(_scores(board, a), _scores(board, b), by_seed=a.is_given == b.is_given)
    return Pair(board, a, b, _within(found, board))


def _scores(board: Board, row: BoardRow) -> Scores:
    """Return a row's scores by seed, over folds their means; per image where the score is the mean of those."""
    by_seed: dict[int, list[float]] = {}
    for score in row.scores:
        if score.value is not None:
            by_seed.setdefault(score.trial.seed, []).append(score.value)
    means = {seed: fmean(values) for seed, values in sorted(by_seed.items()) if len(values) == board.folds}
    if board.folds > 1:
        return Scores(means)
    paths = {score.trial.seed: score.per_example for score in row.scores if score.value is not None}
    images = values_of_examples([paths[seed] for seed in means])
    is_mean = images is not None and np.allclose(images.mean(1), list(means.values()), rtol=1e-4, atol=1e-6)
    return Scores(means, images if is_mean else None)


def _within(found: Difference, board: Board) -> Difference:
    """Return a difference whose interval holds none that cannot be: of scores from 0 to 1, none beyond 1."""
    bounds = board.metric.bounds
    if bounds is None or found.low is None or found.high is None:
        return found
    most = bounds[1] - bounds[0]
    return replace(found, low=max(found.low, -most), high=min(found.high, most))


# Which rows are pairs ------------------------------------------------------------------------------------------------


def of_models(
    boards: Sequence[Board], is_a: Callable[[BoardRow], bool], is_b: Callable[[BoardRow], bool]
) -> list[Pair]:
    """Return a pair for each board that has a score of both."""
    found = ((board, _scored(board, is_a), _scored(board, is_b)) for board in boards)
    return [pair(board, a, b) for board, a, b in found if a and b]


def _scored(board: Board, is_it: Callable[[BoardRow], bool]) -> BoardRow | None:
    return next((row for row in _ours(board) if is_it(row)), None)


def of_folders(first: Sequence[Board], second: Sequence[Board]) -> list[Pair]:
    """Return a pair for each protocol and model that two folders both have a score of, in the order of the first's."""
    others = {(board.protocol_id, row.model): row for board in second for row in _ours(board)}
    return [
        pair(board, row, others[board.protocol_id, row.model])
        for board in first
        for row in _ours(board)
        if (board.protocol_id, row.model) in others
    ]


def _ours(board: Board) -> list[BoardRow]:
    """Return the rows with scores, published ones apart: of these nobody has the seeds."""
    return [row for row in board.rows if row.summary and not row.claim]
