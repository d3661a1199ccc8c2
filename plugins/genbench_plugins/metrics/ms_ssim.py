"""Multi-scale similarity of pairs of samples: how little they differ from each other (Odena, Olah & Shlens 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

import genbench
from genbench.numerics.ms_ssim import fitted_scales, ms_ssim
from genbench_plugins.metrics.by_classes import knows_own_classes
from genbench_plugins.metrics.features import MOST_SAMPLES, FeatureMetric


@dataclass(eq=False)
class MSSSIM(FeatureMetric):
    """Mean multi-scale structural similarity of random pairs of samples, from 0 to 1 (equal).

    Low is diverse, but noise is the most diverse of all: read it beside that of real images, which stands among the
    extras (`real`) and in the row train-data. A model far above them has collapsed. Pairs are of one class, as the
    extractor sees it, where it knows the dataset's classes. Scales and window are fitted to the size of the images.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "MS-SSIM between samples"
    unit: ClassVar[str] = "similarity of pairs"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    higher_is_better: ClassVar[bool] = False
    own_classes: ClassVar[bool] = True
    caption_extras: ClassVar[tuple[str, ...]] = ("real", "scales", "window")

    samples: Annotated[int, Ge(2), Le(MOST_SAMPLES)] = 2_000

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why images of fewer than 3 pixels to a side cannot be compared."""
        return "its images have fewer than 3 pixels to a side" if min(evaluation.space.shape[1:]) < 3 else None

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean over pairs of samples, its standard error, and that of real pairs."""
        fake = self._similarities(evaluation, evaluation.samples(self.samples), "samples")
        real = self._similarities(evaluation, evaluation.target.images, "target")
        scales = fitted_scales(*evaluation.space.shape[1:])
        return genbench.Score(
            value=fake.mean().item(),
            stderr=fake.std().item() / len(fake) ** 0.5 if len(fake) > 1 else None,
            extras={"real": real.mean().item(), "scales": scales.scales, "window": scales.window},
        )

    def _similarities(self, evaluation: genbench.Evaluation, images: Tensor, of: genbench.ImageSet) -> Tensor:
        """Return the similarity of random pairs of images, each in one pair, (pairs,)."""
        labels = torch.zeros(len(images), dtype=torch.int64)
        if knows_own_classes(evaluation):
            labels = evaluation.logits(evaluation.extractor, of, len(images)).argmax(1).cpu()
        i, j = (rows.to(images.device) for rows in disjoint_pairs(labels, evaluation.stream("pairs")))
        low, high = evaluation.space.bounds
        unit = ((images - low) / (high - low)).clamp(0, 1)
        return ms_ssim(unit[i], unit[j])

    def describe(self) -> str:
        """Return the protocol in words."""
        return f"{self.samples:,} samples in random pairs, within a class where the extractor knows the dataset's"


def disjoint_pairs(labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the rows (p,), (p,) of random pairs of examples with the same label (n,): each example in one at most.

    Raises ValueError where every example is alone with its label.
    """
    shuffled = torch.randperm(len(labels), generator=generator, device=generator.device).to(labels.device)
    order = shuffled[labels[shuffled].argsort(stable=True)]  # each class a run, in random order
    counts = torch.bincount(labels)
    places = torch.arange(len(labels)) - (counts.cumsum(0) - counts)[labels[order]]  # within the run
    seconds = (places % 2 == 1).nonzero()[:, 0]
    if len(seconds) == 0:
        raise ValueError(f"{len(labels)} images, no two of one class: expected at least two samples to compare")
    return order[seconds - 1], order[seconds]
