"""A leaderboard: the rows that share a protocol, ranked with what is known of their seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from genbench import files
from genbench.ranking import statistics
from genbench.ranking.claims import Claim
from genbench.ranking.examples import stderr_over_examples
from genbench.ranking.scores import Kind, ScoreRow
from genbench.ranking.statistics import Summary
from genbench.registry.targets import is_file


@dataclass(frozen=True)
class BoardRow:
    """A model on a board: its scores over training seeds, its rank range, and what its trials took.

    statuses counts its seeds that have no score by what became of them; reasons says why, seed by seed.
    """

    model: str
    kind: Kind
    summary: Summary | None
    seeds_planned: int
    statuses: Mapping[str, int] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    rank_low: int | None = None
    rank_high: int | None = None
    stderr_examples: float | None = None
    extras: Mapping[str, float] = field(default_factory=dict)
    scores: Sequence[ScoreRow] = ()
    claim: Claim | None = None

    @property
    def seeds_done(self) -> int:
        """Return how many of its seeds have a score."""
        return self.summary.n if self.summary and not self.claim else 0

    @property
    def values(self) -> list[float]:
        """Return its score for each training seed that has one."""
        return [score.value for score in self.scores if score.value is not None]

    @property
    def samples_are(self) -> str:
        """Return what its samples are, or "" for a published row."""
        return self.scores[0].model["traits"]["samples_are"] if self.scores else ""

    def mean_of(self, stage: str) -> float | None:
        """Return the mean seconds that a stage took, over the trials that have it."""
        return _mean([s.trial.stages[stage].seconds for s in self.scores if stage in s.trial.stages])

    def recorded(self, read: Callable[[ScoreRow], Any]) -> list[Any]:
        """Return the distinct values that its trials recorded of something, sorted, missing ones left out."""
        return sorted({value for value in map(read, self.scores) if value is not None}, key=str)


@dataclass(frozen=True)
class Board:
    """Rows that may be compared, since metric, options, dataset, split and budget are the same. Best rows come first.

    metric is as resolved; alone are published rows that were measured under another protocol.
    """

    metric: Mapping[str, Any]
    dataset: str
    dataset_digest: str
    protocol_id: str
    protocol: str
    rows: Sequence[BoardRow]
    alone: Sequence[BoardRow] = ()

    @property
    def higher_is_better(self) -> bool:
        """Return the metric's direction."""
        return bool(self.metric["traits"]["higher_is_better"])

    def of_kind(self, kind: Kind) -> list[BoardRow]:
        """Return the rows of a kind."""
        return [row for row in self.rows if row.kind == kind]

    @property
    def ranked(self) -> list[BoardRow]:
        """Return the rows that take part in the ranking."""
        return [row for row in self.rows if row.rank_low is not None]


def boards(rows: Iterable[ScoreRow], claims: Sequence[Claim] = (), planned: int | None = None) -> list[Board]:
    """Return a board for each protocol among the rows, in the order in which they first come.

    planned is how many seeds each model was to have; None takes those there are.
    """
    by_protocol: dict[str, list[ScoreRow]] = {}
    for row in rows:
        by_protocol.setdefault(row.protocol_id, []).append(row)
    return [_board(several, claims, planned) for several in by_protocol.values()]


def _board(rows: Sequence[ScoreRow], claims: Sequence[Claim], planned: int | None) -> Board:
    first = rows[0]
    by_model: dict[str, list[ScoreRow]] = {}
    for row in rows:
        by_model.setdefault(files.digest(row.trial.identity["model"]), []).append(row)
    higher = bool(first.metric["traits"]["higher_is_better"])
    ours = _sorted([_row(several, planned) for several in by_model.values()], higher)
    dataset, digest = first.trial.dataset["label"], first.trial.dataset["digest"]
    same, other = _published(claims, first, dataset)
    return Board(
        metric=first.metric,
        dataset=dataset,
        dataset_digest=digest,
        protocol_id=first.protocol_id,
        protocol=first.protocol,
        rows=[*_labelled(_ranked(ours, higher)), *_sorted(same, higher)],
        alone=_sorted(other, higher),
    )


def _row(scores: Sequence[ScoreRow], planned: int | None) -> BoardRow:
    """Return the row of one model's scores. A seed without a score is counted, never averaged away."""
    scores = sorted(scores, key=lambda score: score.trial.seed)
    done = [score for score in scores if score.value is not None]
    seeds = planned or len(scores)
    statuses = Counter(score.status for score in scores if score.value is None)
    statuses["interrupted"] += seeds - len(scores)
    names = dict.fromkeys(name for score in done for name in score.extras or {})
    return BoardRow(
        model=scores[0].model["label"],
        kind=scores[0].kind,
        summary=statistics.summarise([score.value for score in done if score.value is not None]) if done else None,
        seeds_planned=seeds,
        statuses=+statuses,
        reasons=[f"s{score.trial.seed} {score.status}: {score.reason}" for score in scores if score.reason],
        stderr_examples=stderr_over_examples([s.per_example for s in done]) if done else None,
        extras={name: fmean(had) for name in names if (had := _extra(done, name))},
        scores=scores,
    )


def _extra(scores: Sequence[ScoreRow], name: str) -> list[float]:
    """Return an extra's values over the scores that have it: a metric may report one for some seeds only."""
    return [(score.extras or {})[name] for score in scores if name in (score.extras or {})]


def _ranked(rows: Sequence[BoardRow], higher_is_better: bool) -> list[BoardRow]:
    """Return the rows, the ranked ones with their rank ranges. References take no part."""
    ours = [row for row in rows if row.kind == "ours" and row.summary]
    entries = [statistics.Row(row.values, row.seeds_done == row.seeds_planned) for row in ours]
    ranges = statistics.rank_ranges(entries, higher_is_better)
    found = {id(row): rank for row, rank in zip(ours, ranges, strict=True)}
    return [_with_rank(row, found.get(id(row))) for row in rows]


def _with_rank(row: BoardRow, rank: statistics.RankRange | None) -> BoardRow:
    return row if rank is None else replace(row, rank_low=rank.low, rank_high=rank.high)


def _labelled(rows: Sequence[BoardRow]) -> list[BoardRow]:
    """Return the rows, those that share a label told apart behind it."""
    shared = {label for label, count in Counter(row.model for row in rows).items() if count > 1}
    return [replace(row, model=f"{row.model} {_edition(row)}") if row.model in shared else row for row in rows]


def _edition(row: BoardRow) -> str:
    """Return which of several models of one label a row is: a file's by the SHA-256 of its content, else by version."""
    model = row.scores[0].model
    return model["source"][:8] if is_file(model["target"]) else f"v{model['version']}"


def _sorted(rows: Sequence[BoardRow], higher_is_better: bool) -> list[BoardRow]:
    """Return the rows, ours first, then references, then published; the best mean first, those without one last."""
    order = {"ours": 0, "reference": 1, "published": 2}
    sign = -1 if higher_is_better else 1

    def key(row: BoardRow) -> tuple[int, bool, float, str]:
        return order[row.kind], row.summary is None, sign * row.summary.mean if row.summary else 0.0, row.model

    return sorted(rows, key=key)


def _published(claims: Sequence[Claim], first: ScoreRow, dataset: str) -> tuple[list[BoardRow], list[BoardRow]]:
    """Return published rows for this metric and dataset: those of the same protocol, and the others."""
    here = [c for c in claims if c.metric_name == first.metric["name"] and c.dataset == dataset]
    same = [_claimed(claim) for claim in here if claim.protocol_id == first.protocol_id]
    return same, [_claimed(claim) for claim in here if claim.protocol_id != first.protocol_id]


def _claimed(claim: Claim) -> BoardRow:
    summary = Summary(n=1, mean=claim.value, sd=None, stderr=claim.error, low=None, high=None)
    return BoardRow(claim.model, "published", summary, seeds_planned=0, claim=claim)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
