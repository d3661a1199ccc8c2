"""What answers come to: how often raters took each model's images for real, and real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genbench.study import intervals
from genbench.study.answers import Answers
from genbench.study.items import REAL
from genbench.study.key import Key


@dataclass(frozen=True)
class SourceScore:
    """How images of a model, or real ones (kind real), were answered.

    wilson takes answers as independent; over_raters resamples raters, None where there is one alone, or all agree.
    """

    source: str
    kind: str
    images: int
    raters: int
    called_real: int
    wilson: tuple[float, float]
    over_raters: tuple[float, float] | None

    @property
    def answers(self) -> int:
        """Return how many answers there are."""
        return self.images * self.raters

    @property
    def share(self) -> float:
        """Return the share of answers that called an image real."""
        return self.called_real / self.answers

    @property
    def error_rate(self) -> float:
        """Return the share of answers that were wrong."""
        return 1 - self.share if self.kind == "real" else self.share


@dataclass(frozen=True)
class StudyScores:
    """The scores of a study: models by their share, the greatest first, then references, and real images last."""

    key: Key
    raters: int
    scores: Sequence[SourceScore]


def score(key: Key, answers: Sequence[Answers]) -> StudyScores:
    """Return what answers to a study, complete and one for each rater, come to."""
    called = [_called_real(each) for each in answers]
    models = [_of_source(source, kind, key, called) for source, kind in sorted(key.kinds.items())]
    models.sort(key=lambda score: (score.kind, -score.called_real))  # ours, reference
    return StudyScores(key, len(answers), [*models, _of_source(REAL, "real", key, called)])


def _called_real(answers: Answers) -> set[int]:
    return {answer.item for answer in answers.answers if answer.called == "real"}


def _of_source(source: str, kind: str, key: Key, called: Sequence[set[int]]) -> SourceScore:
    items = {place for place, item in enumerate(key.items) if item.source == source}
    counts = [len(items & each) for each in called]
    total, n = sum(counts), len(items) * len(called)
    over = intervals.over_raters([count / len(items) for count in counts])
    return SourceScore(source, kind, len(items), len(called), total, intervals.wilson(total, n), over)
