"""Published numbers held against ours: would one more run of our model come out as the published one did?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from genbench.errors import printable
from genbench.ranking import statistics
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.claims import Claim
from genbench.registry import spec

Outcome = Literal["reproduced", "better", "worse", "inconclusive", "not run"]
"""What became of a published number; better and worse say how our model does beside it."""


@dataclass(frozen=True)
class Verdict:
    """A published number, what became of it, and why. model is ours, "" where none was run; row what it scored.

    low and high bound the 95 % prediction interval for one run of our model, None where there is none.
    """

    claim: Claim
    outcome: Outcome
    why: str
    model: str = ""
    row: BoardRow | None = None
    low: float | None = None
    high: float | None = None


# The statistics ------------------------------------------------------------------------------------------------------


class Judgement(NamedTuple):
    """An outcome, and the prediction interval that it rests on."""

    outcome: Outcome
    low: float
    high: float


def judge(
    published: float,
    values: Sequence[float],
    within: float,
    higher_is_better: bool,
    bounds: statistics.Bounds = None,
) -> Judgement:
    """Return what two or more runs of ours say of one published run, by the 95 % prediction interval for one run.

    Outside it the published run is distinguished from ours, however wide the interval: were both of one distribution,
    that would happen to one in twenty. Inside, it is reproduced if the interval reaches at most `within` to either
    side; a wider one agrees with too much to say so. The published error takes no part: it is over test images, which
    are the same for all runs.
    """
    low, high = statistics.prediction_interval(values, bounds=bounds)
    if low <= published <= high:
        return Judgement("reproduced" if (high - low) / 2 <= within else "inconclusive", low, high)
    return Judgement("better" if (published < low) == higher_is_better else "worse", low, high)


# From boards to verdicts ---------------------------------------------------------------------------------------------


def verdicts(boards: Sequence[Board], claims: Iterable[Claim]) -> list[Verdict]:
    """Return a verdict on each claim, or one for each of our models that it is held against, in the claims' order."""
    return [verdict for claim in claims for verdict in _on(claim, boards)]


def _on(claim: Claim, boards: Sequence[Board]) -> Iterator[Verdict]:
    here = [board for board in boards if board.dataset == claim.dataset]
    measured = [board for board in here if claim.is_on(board.metric.name, board.dataset)]
    found = [(board, row) for board in measured for row in board.rows if _is_about(claim, row)]
    same = [(board, row) for board, row in found if board.protocol_id == claim.protocol_on(board.digests)]
    for board, row in same:
        yield _judged(claim, row, board)
    if not same:
        why = _other_protocol(claim, *found[0]) if found else _not_there(claim, boards, here, measured)
        yield Verdict(claim, "not run", why)


def _is_about(claim: Claim, row: BoardRow) -> bool:
    return bool(row.scores) and claim.is_about(row.scores[0].model.label)


def _judged(claim: Claim, row: BoardRow, board: Board) -> Verdict:
    """Return the verdict on a row of the claim's protocol: what its missing seeds may have hidden is no success."""
    values, whole = row.values, row.seeds_done == row.seeds_planned
    if len(values) < 2:
        few = f"{row.seeds_done} of {row.seeds_planned} seeds have a score" if not whole else "one seed shows no spread"
        return Verdict(claim, "inconclusive", few, row.model, row)
    outcome, low, high = judge(claim.value, values, claim.within, board.metric.higher_is_better, board.metric.bounds)
    why = {
        "reproduced": "the published run is where one more of ours would fall",
        "inconclusive": f"the interval reaches {(high - low) / 2:.4g} to a side; expected at most {claim.within:g}",
    }.get(outcome, "the published run is not where one more of ours would fall")
    if not whole and outcome in ("reproduced", "better"):
        outcome, why = "inconclusive", f"only {row.seeds_done} of {row.seeds_planned} seeds have a score"
    return Verdict(claim, outcome, why, row.model, row, low, high)


# Why there is none ---------------------------------------------------------------------------------------------------


def _not_there(claim: Claim, boards: Sequence[Board], here: Sequence[Board], measured: Sequence[Board]) -> str:
    """Return what of a claim these results lack: a model to hold it against, its dataset, its metric."""
    if not claim.ours:
        return "no model of ours is named for it"
    if not here:
        like = sorted({board.dataset for board in boards if spec.plain(board.dataset) == claim.dataset})
        return f"on {', '.join(like)}, not on {claim.dataset}" if like else f"nothing on {claim.dataset}"
    if not measured:
        return f"no {claim.metric_name} on {claim.dataset}"
    return f"no {' or '.join(spec.split(claim.ours))} in these results"


def _other_protocol(claim: Claim, board: Board, row: BoardRow) -> str:
    """Return how the protocol of a row differs from the claim's, as far as that is known, and what the row has."""
    ours = f"; {row.model} has {row.summary.mean:.4g} by {board.metric.label}" if row.summary else ""
    if claim.resolved is None:
        return printable(f"another protocol: {claim.differs or 'what it was is not stated'}{ours}")
    options = board.metric.options
    differing = [
        f"{name} {options.get(name)}, not {value}"
        for name, value in claim.resolved.options.items()
        if options.get(name) != value
    ]
    if claim.dataset_digest not in ("", board.dataset_digest):
        differing.append(f"other images under the name {claim.dataset}")
    return printable(f"another protocol: {', '.join(differing) or board.protocol}{ours}")
