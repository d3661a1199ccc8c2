"""Features by a classifier of the images' own domain: the honest choice for small grey images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

import genbench
from genbench_plugins.extractors.classifier import RECIPE, Classifier, trained
from genbench_plugins.extractors.shipped import shipped
from genbench_plugins.extractors.whole_files import digest, read_tensors, save_tensors

if TYPE_CHECKING:
    from genbench_plugins.extractors.shipped import Shipped


@dataclass(eq=False)
class Domain(genbench.FeatureExtractor):
    """What a small convolutional classifier says of an image: 64 features, from the layer before its classes.

    For digits and mnist its weights come with genbench, so that scores compare across machines: 85,226 parameters that
    find the class of 99.20 % of the 500 test digits, and 122,730 that find it of 99.44 % of MNIST's 10,000 test images
    (benchmarks/extractors/train_domain.py). For any other dataset with labels it is trained on the training images by
    the same recipe, on the machine at hand, once; tables then say "local", and each score keeps the digest of the
    weights, since two machines may come to other last digits.
    """

    version: ClassVar[int] = 1

    def bind(self, space: genbench.Space, dataset: str) -> None:
        """Take the space and the dataset's digest, by which shipped weights are found. Raises Unsupported."""
        if space.classes is None:
            raise genbench.Unsupported(
                "extractor domain learns from labels, and this dataset has none. Use random: fid[random]"
            )
        super().bind(space, dataset)

    @property
    def _shipped(self) -> Shipped | None:
        return shipped(self.dataset)

    @property
    def digest(self) -> str:
        """The SHA-256 of shipped weights, or the recipe of local ones."""
        return f"domain, recipe {RECIPE}, local" if self._shipped is None else self._shipped.sha256

    @property
    def weights_digest(self) -> str:
        """The digest of the very weights."""
        return self.weights_digest_

    def describe(self) -> str:
        """Return where the weights come from, and how good the classifier is."""
        if self._shipped is None:
            return f"classifier trained locally, recipe {RECIPE}"
        return f"shipped classifier of {self._shipped.name}, {self._shipped.accuracy:.2%} of test images right"

    def prepare(self, data: genbench.TrainingData, originals: Path, cache: Path) -> None:
        """Load the weights that are shipped, or those that were trained here; train where there are none."""
        device = data.train.images.device
        if self._shipped is not None:
            tensors = self._shipped.tensors()
        else:
            path = cache / f"domain-{RECIPE}-{self.dataset[:24]}-{device.type}.safetensors"
            tensors = read_tensors(path) or self._train(data, path)
        with torch.device("meta"):  # drawn weights would be thrown away
            self.classifier_ = Classifier(self.space)
        self.classifier_.load_state_dict(tensors, assign=True)
        self.classifier_.to(device).eval().requires_grad_(False)
        self.weights_digest_ = digest(tensors)

    def _train(self, data: genbench.TrainingData, path: Path) -> dict[str, Tensor]:
        if len(data.train) < 2:
            raise genbench.Unsupported("extractor domain learns from 2 training images at least, and there is 1")
        state: dict[str, Tensor] = trained(data).state_dict()
        save_tensors(state, path)
        return state

    def features(self, images: Tensor) -> Tensor:
        """Return what the last hidden layer says, (n, 64)."""
        return self.classifier_.features(images)

    def logits(self, images: Tensor) -> Tensor:
        """Return what it says of each class, (n, classes)."""
        return self.features_and_logits(images)[1]

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return both of one pass, (n, 64) and (n, classes)."""
        features = self.classifier_.features(images)
        return features, self.classifier_.head(features)
