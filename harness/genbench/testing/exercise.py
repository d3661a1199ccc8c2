"""The simplest use of a plugin of each kind, for checks that only ask whether it works somewhere."""

from __future__ import annotations

from collections.abc import Callable

import torch

from genbench.testing.fixtures import Fixtures


def exercise(fixtures: Fixtures) -> None:
    """Use the subject once: train and sample, score, load, extract, or make it."""
    USES[fixtures.subject.kind.name](fixtures)


def _model(fixtures: Fixtures) -> None:
    fixtures.sample(fixtures.trained_briefly(fixtures.home), 2)


def _metric(fixtures: Fixtures) -> None:
    from genbench.testing.scoring import Scoring

    scoring = Scoring(fixtures)
    scoring.score(scoring.real)


def _dataset(fixtures: Fixtures) -> None:
    from genbench.testing.dataset_checks import loaded

    loaded(fixtures.subject)


def _extractor(fixtures: Fixtures) -> None:
    with torch.no_grad():
        fixtures.extractor().features(fixtures.split("test").images[:2])


def _engine(fixtures: Fixtures) -> None:
    fixtures.subject.make().close()


USES: dict[str, Callable[[Fixtures], None]] = {
    "model": _model,
    "metric": _metric,
    "dataset": _dataset,
    "extractor": _extractor,
    "engine": _engine,
}
