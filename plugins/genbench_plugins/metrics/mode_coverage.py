"""How a classifier finds the classes among samples: whether some are missing, and how far shares are from the true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

import genbench
from genbench_plugins.metrics.by_classes import NEEDS_OWN_CLASSES, knows_own_classes
from genbench_plugins.metrics.features import MOST_SAMPLES, FeatureMetric


@dataclass(eq=False)
class ModeCoverage(FeatureMetric):
    """KL divergence of the classes of samples from those of the images scored against, by a classifier.

    Near 0 where all classes come as often as in real images, to whose counts 1 is added; where all samples are of one
    class, minus the log of its share of real images: log(classes) where all of these are equally frequent. A class is
    missed where its share is below `least` of its true share: how many are hit stands in the caption, and each class's
    share among the extras. It does not see how good the samples of a class are, nor how different.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Mode coverage"
    unit: ClassVar[str] = "nats between shares of classes"
    higher_is_better: ClassVar[bool] = False
    own_classes: ClassVar[bool] = True
    caption_extras: ClassVar[tuple[str, ...]] = ("classes_hit", "classes")

    samples: Annotated[int, Ge(1), Le(MOST_SAMPLES)] = 10_000
    least: Annotated[float, Gt(0), Lt(1)] = 0.1  # share of its true share from which a class counts as hit

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why it needs a classifier of the dataset's own classes."""
        return None if knows_own_classes(evaluation) else NEEDS_OWN_CLASSES

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the divergence, its standard error, how many classes are hit and the share of each."""
        fake = _classes(evaluation.logits(evaluation.extractor, "samples", self.samples))
        real = _classes(evaluation.logits(evaluation.extractor, "target"))
        q, p = (_shares(seen, evaluation.space.classes or 0) for seen in (fake, real))
        smooth = (p * len(real) + 1) / (len(real) + len(p))  # no class is impossible because no image has it
        ratios = (q / smooth).clamp_min(1e-300).log()  # (classes,)
        value = (q * ratios).sum()
        missed = ((q < self.least * p) & (p > 0)).nonzero()[:, 0].tolist()
        classes = int((p > 0).sum())
        extras = {"classes_hit": float(classes - len(missed)), "classes": float(classes)}
        return genbench.Score(
            value=value.item(),
            stderr=ratios[fake].std(correction=0).item() / len(fake) ** 0.5,
            extras={**extras, **{f"share_of_class_{c}": share for c, share in enumerate(q.tolist())}},
            notes=(f"collapsed: it misses the classes {', '.join(map(str, missed))}",) if missed else (),
        )

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples; a class is hit from {self.least:.0%} of its true share"


def _classes(logits: Tensor) -> Tensor:
    """Return the likeliest class of each row, (n,)."""
    if not bool(logits.isfinite().all()):
        raise ValueError("logits are not finite: are the samples? Expected finite values")
    return logits.argmax(1)


def _shares(seen: Tensor, classes: int) -> Tensor:
    return torch.bincount(seen, minlength=classes).double() / len(seen)
