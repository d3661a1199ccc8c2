"""Configurations that were tried, each with its score on validation images, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genbench.ranking.recorded import RecordedMetric
from genbench.registry.search_space import Searched
from genbench.trial.identity import Budget
from genbench.tuning.configurations import Configuration

if TYPE_CHECKING:
    from genbench.tuning.expected_best import ExpectedBest
    from genbench.tuning.tuning_settings import TuningSettings


@dataclass(frozen=True)
class Tried:
    """A configuration that was trained: score is the mean over its seeds, None unless each of them has one.

    stderr is over seeds where there are several, else the metric's own; status says what became of it without a score.
    """

    configuration: Configuration
    score: float | None
    stderr: float | None = None
    seeds_done: int = 0
    status: str = "done"
    reason: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Rung:
    """Configurations trained within one budget; without halving a search is one of these."""

    budget: Budget
    tried: Sequence[Tried]
    protocol: str = ""

    def best_first(self, higher_is_better: bool) -> list[Tried]:
        """Return those with a score, the best first; of equal ones the first drawn."""
        sign = -1.0 if higher_is_better else 1.0
        scored = [(sign * each.score, each.configuration.number, each) for each in self.tried if each.score is not None]
        return [each for *_, each in sorted(scored, key=lambda one: one[:2])]


@dataclass(frozen=True)
class TunedModel:
    """A model's search: what was tuned, and its rungs, that of the greatest budget last."""

    model: str
    space: Mapping[str, Searched]
    rungs: Sequence[Rung]
    higher_is_better: bool

    @property
    def best(self) -> list[Tried]:
        """Return the configurations with a score that were trained with the greatest budget, the best first."""
        scored = [rung.best_first(self.higher_is_better) for rung in self.rungs]
        return next((found for found in reversed(scored) if found), [])

    @property
    def standing(self) -> list[tuple[Rung, Tried]]:
        """Return each configuration with a score, at the greatest budget that it was trained with: those come first."""
        found: dict[int, tuple[Rung, Tried]] = {}
        for rung in reversed(self.rungs):
            for each in rung.best_first(self.higher_is_better):
                found.setdefault(each.configuration.number, (rung, each))
        return list(found.values())

    @property
    def all_tried(self) -> Rung:
        """Return the rung that all configurations were trained on: what draws are judged by together."""
        return self.rungs[0]

    @property
    def scores(self) -> list[float]:
        """Return the scores of configurations drawn at random; one without counts as the worst there is."""
        drawn = [each.score for each in self.all_tried.tried if each.configuration.number > 0]
        found = [score for score in drawn if score is not None]
        if not found:
            return []
        worst = (min if self.higher_is_better else max)([*found, *self.defaults])
        return [worst if score is None else score for score in drawn]

    @property
    def defaults(self) -> list[float]:
        """Return the score of the model as it was asked for, if it has one."""
        tried = self.all_tried.tried
        return [each.score for each in tried if each.configuration.number == 0 and each.score is not None]

    @property
    def curve(self) -> list[ExpectedBest]:
        """Return the expected best score of n random configurations, for every n that was drawn."""
        from genbench.tuning.expected_best import expected_best

        return expected_best(self.scores, self.higher_is_better)

    @property
    def failed(self) -> list[Tried]:
        """Return the configurations without a score."""
        return [each for rung in self.rungs for each in rung.tried if each.score is None]


@dataclass(frozen=True, repr=False)
class Tuning:
    """A search for each of several models, all under one metric against the validation images of a dataset."""

    models: Sequence[TunedModel]
    metric: RecordedMetric
    dataset: str
    settings: TuningSettings
    seconds: float


def status_of(statuses: Mapping[str, int], planned: int, done: int) -> str:
    """Return what became of a configuration that lacks scores, in words."""
    if done >= planned:
        return "done"
    named: Any = ", ".join(statuses) or "interrupted"
    return f"{named} ({done}/{planned} seeds)" if planned > 1 else str(named)
