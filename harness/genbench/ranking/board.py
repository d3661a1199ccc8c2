"""A leaderboard: the rows that share a protocol, ranked with what is known of their seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from genbench import files
from genbench.errors import printable
from genbench.ranking import folds, statistics
from genbench.ranking.claims import Claim
from genbench.ranking.examples import stderr_over_examples
from genbench.ranking.recorded import RecordedMetric
from genbench.ranking.scores import Kind, ScoreRow
from genbench.ranking.statistics import Summary
from genbench.registry.loading import is_file

Planned = Callable[[ScoreRow], int]
"""Tells how many seeds the model of a row was to have."""


@dataclass(frozen=True)
class BoardRow:
    """A model on a board: its scores over training seeds, its rank range, and what its trials took.

    statuses counts its trials that have no score by what became of them; reasons says why, seed by seed. values are its
    scores, seed by seed, averaged over folds where there are any; stderr_folds is then their error over folds.
    stderr_metric is the metric's own standard error of one seed's score, root mean square over seeds.
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
    stderr_metric: float | None = None
    extras: Mapping[str, float] = field(default_factory=dict)
    scores: Sequence[ScoreRow] = ()
    values: Sequence[float] = ()
    stderr_folds: float | None = None
    claim: Claim | None = None

    @property
    def seeds_done(self) -> int:
        """Return how many of its seeds have a score."""
        return self.summary.n if self.summary and not self.claim else 0

    @property
    def stderr(self) -> float | None:
        """Return its standard error: over folds where there are any, else over training seeds."""
        return self.stderr_folds if self.stderr_folds is not None or not self.summary else self.summary.stderr

    @property
    def is_given(self) -> bool:
        """Return whether its images were made elsewhere: what they took to make, nobody here knows."""
        return bool(self.scores) and self.scores[0].model.is_given

    @property
    def is_pretrained(self) -> bool:
        """Return whether it came ready, and learnt nothing here: its fit is no training."""
        return bool(self.scores) and self.scores[0].model.is_pretrained

    @property
    def samples_are(self) -> str:
        """Return what its samples are, or "" for a published row."""
        return self.scores[0].model.samples_are if self.scores else ""

    @property
    def chosen_of(self) -> list[int]:
        """Return how many images were made elsewhere, of which fewer were scored, for each such number once."""
        return self.distinct(_images_left_out)

    def mean_of(self, stage: str) -> float | None:
        """Return the mean seconds that a stage took, over the trials that have it; None where nothing was trained."""
        if self.is_given or (self.is_pretrained and stage == "fit"):
            return None
        return _mean([s.trial.stages[stage].seconds for s in self.scores if stage in s.trial.stages])

    def distinct(self, read: Callable[[ScoreRow], Any]) -> list[Any]:
        """Return the distinct values that its trials recorded of something, sorted, missing ones left out."""
        return sorted({value for value in map(read, self.scores) if value is not None}, key=str)


def _images_left_out(score: ScoreRow) -> int | None:
    fit = score.trial.stages.get("fit")
    images: int = (fit.details.get("images") if fit else None) or 0
    return images if images > score.samples > 0 else None


@dataclass(frozen=True)
class Board:
    """Rows that may be compared, since metric, options, dataset, split and budget are the same. Best rows come first.

    digests are those of the dataset, or of each of its folds; alone are published rows that were
    measured under another protocol; left_out are rows that are not to be shown, among which the others are ranked.
    """

    metric: RecordedMetric
    dataset: str
    digests: Sequence[str]
    protocol_id: str
    protocol: str
    rows: Sequence[BoardRow]
    alone: Sequence[BoardRow] = ()
    left_out: Sequence[BoardRow] = ()

    @property
    def folds(self) -> int:
        """Return how many folds its scores are averaged over; 1 where there are none."""
        return len(self.digests)

    @property
    def dataset_digest(self) -> str:
        """Return the digest of the dataset, or of its folds together."""
        return self.digests[0] if self.folds == 1 else files.digest(list(self.digests))

    @property
    def shows_own_errors(self) -> bool:
        """Return whether the metric's own errors are all there are: no row has several seeds or one over examples."""
        has_own = any(row.stderr_metric is not None for row in self.rows)
        return has_own and all(row.seeds_done < 2 and row.stderr_examples is None for row in self.rows)

    @property
    def target(self) -> str:
        """Return the split scored against, test or valid; "" where the metric looks at neither."""
        if not self.metric.uses_target:
            return ""
        return next((score.target for row in (*self.rows, *self.left_out) for score in row.scores), "test")

    def of_kind(self, kind: Kind) -> list[BoardRow]:
        """Return the rows of a kind, those that are not to be shown too."""
        return [row for row in (*self.rows, *self.left_out) if row.kind == kind]

    @property
    def ranked(self) -> list[BoardRow]:
        """Return the rows that take part in the ranking, those that are not to be shown too."""
        return [row for row in (*self.rows, *self.left_out) if row.rank_low is not None]


def boards(rows: Iterable[ScoreRow], claims: Sequence[Claim] = (), planned: Planned | None = None) -> list[Board]:
    """Return a board for each protocol among the rows, in the order in which they first come.

    planned tells how many seeds a model was to have, by one of its rows; None takes those there are.
    """
    return [_board(several, claims, planned) for several in folds.grouped(rows)]


def _board(rows: Sequence[ScoreRow], claims: Sequence[Claim], planned: Planned | None) -> Board:
    parts = folds.parts(rows)
    metric, several = parts[0].metric, len(parts) > 1
    by_model: dict[str, list[ScoreRow]] = {}
    for row in rows:
        by_model.setdefault(files.digest([row.trial.identity["model"], row.selection]), []).append(row)
    higher = metric.higher_is_better
    ours = _sorted([_row(scores, planned, len(parts)) for scores in by_model.values()], higher)
    board = Board(
        metric=metric,
        dataset=folds.dataset_name(parts[0]) if several else parts[0].dataset,
        digests=[part.trial.dataset["digest"] for part in parts],
        protocol_id=folds.protocol_id([part.protocol_id for part in parts]),
        protocol=f"{parts[0].protocol}; mean over {len(parts)} folds" if several else parts[0].protocol,
        rows=_labelled(_ranked(ours, higher)),
    )
    same, other = _published(claims, board)
    return replace(board, rows=[*board.rows, *_sorted(same, higher)], alone=_sorted(other, higher))


def _row(scores: Sequence[ScoreRow], planned: Planned | None, folds_planned: int) -> BoardRow:
    """Return the row of one model's scores. A seed without a score is counted, never averaged away."""
    scores = sorted(scores, key=lambda score: score.trial.seed)
    done = [score for score in scores if score.value is not None]
    whole = folds.whole_seeds(scores, folds_planned)
    values = [fmean(seed) for seed in whole]
    seeds = planned(scores[0]) if planned else len({score.trial.seed for score in scores})
    statuses = Counter(score.status for score in scores if score.value is None)
    statuses["interrupted"] += seeds * folds_planned - len(scores)
    names = dict.fromkeys(name for score in done for name in score.extras or {})
    return BoardRow(
        model=scores[0].label,
        kind=scores[0].kind,
        summary=statistics.summarise(values, bounds=scores[0].metric.bounds) if values else None,
        seeds_planned=seeds,
        statuses=+statuses,
        reasons=[_reason(score, folds_planned) for score in scores if score.reason],
        stderr_examples=stderr_over_examples([s.per_example for s in done]) if done and folds_planned == 1 else None,
        stderr_metric=_own_error(done) if folds_planned == 1 else None,
        extras={name: fmean(had) for name in names if (had := _extra(done, name))},
        scores=scores,
        values=values,
        stderr_folds=folds.stderr_over_folds(whole) if folds_planned > 1 else None,
    )


def _own_error(scores: Sequence[ScoreRow]) -> float | None:
    """Return the metric's own error, root mean square over seeds; None unless every score has one."""
    errors = [score.stderr for score in scores if score.stderr is not None]
    return math.hypot(*errors) / math.sqrt(len(errors)) if errors and len(errors) == len(scores) else None


def _reason(score: ScoreRow, folds_planned: int) -> str:
    where = f" on {score.dataset}" if folds_planned > 1 else ""
    return f"s{score.trial.seed}{where} {score.status}: {score.reason}"


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
    by_label: dict[str, list[BoardRow]] = {}
    for row in rows:
        by_label.setdefault(row.model, []).append(row)
    return [_distinguished(row, by_label[row.model]) for row in rows]


def _distinguished(row: BoardRow, several: Sequence[BoardRow]) -> BoardRow:
    """Return a row, where several have its label, with what tells it apart: its edition, or what is in its files."""
    if len(several) == 1:
        return row
    common = frozenset[str].intersection(*(each.scores[0].model.options for each in several))

    def added(row: BoardRow) -> str:
        """Return the options that not all of them have: those that a plugin was given since others were trained."""
        names = sorted(row.scores[0].model.options - common)
        return printable(f"with {', '.join(names)}") if names else ""

    marks = [mark for mark in (_edition, _content, added) if len({mark(each) for each in several}) > 1] or [_edition]
    return replace(row, model=" ".join(filter(None, [row.model, *(mark(row) for mark in marks)])))


def _content(row: BoardRow) -> str:
    return row.scores[0].model.content


def _edition(row: BoardRow) -> str:
    """Return which of several models of one label a row is: a file's by the SHA-256 of its content, else by version."""
    model = row.scores[0].model
    if row.is_given:
        return model.distribution_version[:8]
    return model.source[:8] if is_file(model.target) else f"v{model.version}"


def _sorted(rows: Sequence[BoardRow], higher_is_better: bool) -> list[BoardRow]:
    """Return the rows, ours first, then references, then published; the best mean first, those without one last."""
    order = {"ours": 0, "reference": 1, "published": 2}
    sign = -1 if higher_is_better else 1

    def key(row: BoardRow) -> tuple[int, bool, float, str]:
        return order[row.kind], row.summary is None, sign * row.summary.mean if row.summary else 0.0, row.model

    return sorted(rows, key=key)


def _published(claims: Sequence[Claim], board: Board) -> tuple[list[BoardRow], list[BoardRow]]:
    """Return published rows for a board's metric and dataset: those of the same protocol, and the others."""
    here = [claim for claim in claims if claim.is_on(board.metric.name, board.dataset)]
    same = [claim for claim in here if claim.protocol_on(board.digests) == board.protocol_id]
    other = [claim for claim in here if claim not in same]
    return [_claimed(replace(claim, protocol_id=board.protocol_id)) for claim in same], [*map(_claimed, other)]


def _claimed(claim: Claim) -> BoardRow:
    summary = Summary(n=1, mean=claim.value, sd=None, stderr=claim.error, low=None, high=None)
    return BoardRow(claim.model, "published", summary, seeds_planned=0, claim=claim)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
