"""The simplest use of a plugin of each kind, for checks that only ask whether it works somewhere."""

from __future__ import annotations

from collections.abc import Callable

import torch

from genbench.testing.fixtures import Laboratory


def exercise(laboratory: Laboratory) -> None:
    """Use the subject once: train and sample, score, load, extract, or make it."""
    USES[laboratory.subject.kind.name](laboratory)


def _model(laboratory: Laboratory) -> None:
    laboratory.sample(laboratory.trained_briefly(laboratory.home), 2)


def _metric(laboratory: Laboratory) -> None:
    from genbench.testing.scoring import Scoring

    scoring = Scoring(laboratory)
    scoring.score(scoring.real)


def _dataset(laboratory: Laboratory) -> None:
    from genbench.testing.dataset_checks import loaded

    loaded(laboratory.subject)


def _extractor(laboratory: Laboratory) -> None:
    with torch.no_grad():
        laboratory.extractor().features(laboratory.split("test").images[:2])


def _engine(laboratory: Laboratory) -> None:
    laboratory.subject.make().close()


USES: dict[str, Callable[[Laboratory], None]] = {
    "model": _model,
    "metric": _metric,
    "dataset": _dataset,
    "extractor": _extractor,
    "engine": _engine,
}
