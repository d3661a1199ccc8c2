"""How well a linear classifier with few labels does on a model's features: semi-supervised use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

import genbench
from genbench.abilities import Encode, Features
from genbench_plugins.metrics.linear_probe import SCALED_BY, STRENGTHS, Probe, Represent, balanced, in_batches
from genbench_plugins.models.moments import centred, directions


@dataclass(eq=False)
class ProbeAccuracy(genbench.Metric):
    """Share of target images whose class a linear probe finds from the model's features, trained on few labels.

    The fourth of the conclusions of Goodfellow et al. 2014: features of the discriminator, or of an inference network,
    may help a classifier where labels are few. The probe is logistic regression on `features`, or on the codes of
    `encode` where a model has none; the model is left as it is. `labels` training images, as many of each class as
    there can be, are drawn `draws` times; 0 takes all, once. C is chosen for each draw by all labelled validation
    images: more labels than are trained on, and for every model the same. The 50,000 labels of MNIST take a minute
    and a half of one core for each representation of 784 values.

    Beside it stand the accuracies of the same probes on the pixels themselves, and on as many principal components of
    the training images as there are features: a model below them has not helped. Every representation is shifted and
    scaled as a whole, so turning it changes nothing. A model that was trained with the labels, as conditional-gan, has
    seen all of them.

    The standard error is of new labelled images and new target images together: the variance over draws, over their
    number, plus that over target images, over theirs.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Accuracy of a linear probe"
    unit: ClassVar[str] = "share of target images"
    bounds: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    higher_is_better: ClassVar[bool] = True
    for_any_images: ClassVar[bool] = False
    real_is_best: ClassVar[bool] = False  # it is of a model, and real images have no features
    caption_extras: ClassVar[tuple[str, ...]] = ("pixels", "pca", "width")

    labels: Annotated[int, Ge(0)] = 100  # labelled training images; 0: all
    draws: Annotated[int, Ge(1)] = 5
    of: Literal["auto", "features", "encode"] = "auto"  # what of the model; auto: features, or encode without

    def skip(self, evaluation: genbench.Evaluation) -> str | None:
        """Return why nothing can be said: of models without features, or of labels that are too few."""
        if self._represent(evaluation.model) is None:
            wanted = "features(x) or encode(x)" if self.of == "auto" else f"{self.of}(x)"
            return f"the model has no {wanted} for a probe to stand on"
        if any(split.labels is None for split in (evaluation.train, evaluation.valid, evaluation.target)):
            return "the images have no labels"
        return self._too_few(evaluation.train)

    def _too_few(self, train: genbench.Split[Tensor]) -> str | None:
        assert train.labels is not None
        if self.labels > len(train):
            return f"{self.labels:,} labelled images are asked for, and there are {len(train):,}: labels=0 takes all"
        classes = int((torch.bincount(train.labels) > 0).sum())
        if classes < 2:
            return "the training images are of one class"
        if 0 < self.labels < classes:
            return f"{self.labels} labelled images are too few for {classes} classes; give labels={classes} or more"
        return None

    def _represent(self, model: genbench.Model) -> Represent | None:
        if self.of != "encode" and isinstance(model, Features):
            return model.features
        return model.encode if self.of != "features" and isinstance(model, Encode) else None

    def evaluate(self, evaluation: genbench.Evaluation) -> genbench.Score:
        """Return the mean accuracy over draws, its standard error, and the accuracies on pixels and components."""
        represent = self._represent(evaluation.model)
        assert represent is not None  # skip sees to that
        train = evaluation.train
        width = in_batches(represent, train.images[:1]).shape[1]
        hits = self._hits(represent, evaluation)  # (draws, n)
        per_image = hits.mean(0)
        variance = per_image.var(correction=0).item() / hits.shape[1]
        if len(hits) > 1:
            variance += hits.mean(1).var().item() / len(hits)
        return genbench.Score(
            value=hits.mean().item(),
            stderr=variance**0.5,
            extras={
                "pixels": self._hits(_pixels, evaluation).mean().item(),
                "pca": self._hits(components(train.images[:SCALED_BY], width), evaluation).mean().item(),
                "width": float(width),
            },
            per_example=per_image,
        )

    def _hits(self, represent: Represent, evaluation: genbench.Evaluation) -> Tensor:
        """Return whether each target image's class is found, with the labels of each draw, (draws, n) float64."""
        train, probe = evaluation.train, Probe.on(represent, evaluation)
        assert train.labels is not None
        stream = evaluation.stream("labelled images")
        found = []
        for _ in range(self.draws if self.labels else 1):
            rows = balanced(train.labels.cpu(), self.labels, stream).to(train.images.device)
            found.append(probe.hits(train.images[rows], train.labels[rows]))
        return torch.stack(found)

    def describe(self) -> str:
        """Return the protocol in words."""
        drawn = f"{self.draws} draws of {self.labels:,} labelled images" if self.labels else "all labelled images"
        strengths = ", ".join(f"{strength:g}" for strength in STRENGTHS)
        what = {"auto": "features, or encode", "features": "features", "encode": "encode"}[self.of]
        return f"{drawn}; logistic regression on {what}, C of {strengths} by validation images"


def _pixels(x: Tensor) -> Tensor:
    return x.flatten(1)


def components(images: Tensor, count: int) -> Represent:
    """Return what represents images by so many principal components of the ones given, or as many as these have."""
    mean, rows = centred(images)
    vectors, shift = directions(rows, count), mean.float()
    return lambda x: (x.flatten(1) - shift) @ vectors
