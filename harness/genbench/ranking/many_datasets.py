"""Models on several datasets: average ranks, Friedman's test, and which models it tells apart (Demšar 2006, JMLR 7).

Datasets, not seeds, are the sample here: what is said holds for further datasets of their kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from genbench.ranking import friedman
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.friedman import ALPHA, Test
from genbench.ranking.recorded import RecordedMetric


@dataclass(frozen=True)
class RankedModel:
    """A model's average rank over datasets, 1 the best, and its rank on each, in their order."""

    model: str
    average_rank: float
    ranks: Sequence[float]


@dataclass(frozen=True)
class ManyDatasets:
    """The models that a metric has scores of on each of several datasets, the best average rank first.

    test is None where there are too few, and refused says why in words. left_out names the models without a score on
    some of the datasets, with these; incomplete those that lack seeds; hidden those that count, and are not asked for.
    """

    metric: RecordedMetric
    target: str
    datasets: Sequence[str]
    models: Sequence[RankedModel]
    test: Test | None = None
    refused: str = ""
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    incomplete: Sequence[str] = ()
    hidden: Collection[str] = ()

    @property
    def shown(self) -> list[RankedModel]:
        """Return the models that were asked for: their ranks are those among all."""
        return [model for model in self.models if model.model not in self.hidden]

    @property
    def is_told(self) -> bool:
        """Return whether the test finds any difference between models."""
        return self.test is not None and self.test.p <= ALPHA

    @property
    def groups(self) -> list[list[RankedModel]]:
        """Return the models that are not told apart, as many together as there are, the best first; [] without a test.

        Where Friedman's test finds no difference, nothing is told apart; else what lies closer than the critical
        difference. A model may be in several groups, or alone in one.
        """
        if self.test is None:
            return []
        if not self.is_told:
            return [list(self.models)]
        found: list[list[RankedModel]] = []
        for place, best in enumerate(self.models):
            group = [m for m in self.models[place:] if not self.test.tells(m.average_rank - best.average_rank)]
            if not found or group[-1] not in found[-1]:
                found.append(group)
        return found

    def letters(self, model: RankedModel) -> str:
        """Return the letters of the groups that a model is in: a is the best."""
        return "".join(_letter(place) for place, group in enumerate(self.groups) if model in group)


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"({place + 1})"


def many_datasets(boards: Sequence[Board]) -> list[ManyDatasets]:
    """Return the ranks by each metric that has boards of several datasets, in the order in which metrics come."""
    return [_ranked(group) for group in _by_metric(boards) if len(group) > 1]


def _by_metric(boards: Sequence[Board]) -> list[list[Board]]:
    """Return the boards of one metric, its options and split; no dataset twice.

    Protocols may differ in more, such as the features of a dataset's own domain: ranks are made on each by itself.
    """
    groups: list[list[Board]] = []
    for board in boards:
        same = [
            group
            for group in groups
            if (group[0].metric.label, group[0].target) == (board.metric.label, board.target)
            and board.dataset not in [other.dataset for other in group]
        ]
        alike = [group for group in same if group[0].protocol == board.protocol]
        if same:
            (alike or same)[0].append(board)
        else:
            groups.append([board])
    return groups


def _ranked(boards: Sequence[Board]) -> ManyDatasets:
    rows = [{row.model: row for row in board.of_kind("ours")} for board in boards]
    names = list(dict.fromkeys(name for on in rows for name in on))
    on_each = list(zip(boards, rows, strict=True))
    lacking = {name: [b.dataset for b, on in on_each if not _has_score(on.get(name))] for name in names}
    whole = [name for name in names if not lacking[name]]
    sign = -1 if boards[0].metric.higher_is_better else 1
    ranks = friedman.ranks([[sign * _scored(on[name]) for name in whole] for on in rows])
    models = [RankedModel(n, sum(r) / len(r), r) for n, r in zip(whole, zip(*ranks, strict=True), strict=True)]
    hidden = set(names) - {row.model for board in boards for row in board.rows}
    refused = friedman.refused(len(boards), len(whole))
    return ManyDatasets(
        metric=boards[0].metric,
        target=boards[0].target,
        datasets=[board.dataset for board in boards],
        models=sorted(models, key=lambda model: (model.average_rank, model.model)),
        test=None if refused else friedman.test(ranks),
        refused=refused,
        left_out={name: where for name, where in lacking.items() if where and name not in hidden},
        hidden=hidden,
        incomplete=[n for n in whole if any(on[n].seeds_done < on[n].seeds_planned for on in rows)],
    )


def _has_score(row: BoardRow | None) -> bool:
    return row is not None and row.summary is not None


def _scored(row: BoardRow) -> float:
    assert row.summary is not None
    return row.summary.mean
