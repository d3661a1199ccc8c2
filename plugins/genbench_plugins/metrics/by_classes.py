"""What metrics by classes share: whether an extractor has any, and whether they are the dataset's own."""

from __future__ import annotations

from torch import Tensor

import genbench

NEEDS_CLASSES = "its extractor classifies nothing: choose one that does, as domain or inception"
NEEDS_OWN_CLASSES = "it needs a classifier of the dataset's own classes: extractor domain, and images with labels"


def classifies(evaluation: genbench.Evaluation) -> bool:
    """Return whether the metric's extractor has classes."""
    return hasattr(evaluation.extractor, "logits")


def knows_own_classes(evaluation: genbench.Evaluation) -> bool:
    """Return whether the metric's extractor has exactly the dataset's classes."""
    if evaluation.space.classes is None or not classifies(evaluation):
        return False
    logits: Tensor = evaluation.extractor.logits(evaluation.target.images[:2])  # type: ignore[attr-defined]
    return logits.shape[1] == evaluation.space.classes
