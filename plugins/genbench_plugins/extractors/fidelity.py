"""torch-fidelity's networks as extractors, Inception and VGG16, known by their weights.

Only their forward pass is used: images go through the harness's own loop, and weights through ours.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import genbench
from genbench.io import expanded, sha256
from genbench_plugins.extractors.official_weights import Official, opened
from genbench_plugins.scaling import to_unit

BATCH = 50
"""Images that go through a network at once: enlarged to 299x299 and through the first layer, they take 200 MB."""


class FidelityExtractor(genbench.FeatureExtractor):
    """A network of torch-fidelity's: network says which, source in which module and class, layers what is read off."""

    network: ClassVar[str]
    shown: ClassVar[str] = ""  # in captions, if not torch-fidelity's own name
    source: ClassVar[tuple[str, str]]
    layers: ClassVar[tuple[str, ...]]

    network_: nn.Module

    def bind(self, space: genbench.Space, dataset: str) -> None:
        """Take the space. Raises Unsupported for images that are neither grey nor RGB."""
        if space.shape[0] not in (1, 3):
            raise genbench.Unsupported(
                f"extractor {self.network} looks at images of 3 channels (or 1, taken as all three), not of "
                f"{space.shape[0]}. Use random: fid[random]"
            )
        super().bind(space, dataset)

    def describe(self) -> str:
        """Return the network, and how images come to it."""
        grey = ", grey in all three channels" if self.space.shape[0] == 1 else ""
        shown = self.shown or f"torch-fidelity's {self.network}"
        return f"{shown} on uint8 images, 255 x rounded{grey}"

    def features(self, images: Tensor) -> Tensor:
        """Return the values of the first layer, (n, d)."""
        return self._layers(images)[0]

    def _layers(self, images: Tensor) -> list[Tensor]:
        """Return the values of each layer, (n, d)."""
        parts = [self._pass(part) for part in torch.split(images, BATCH)]
        return [torch.cat(values) for values in zip(*parts, strict=True)]

    def _pass(self, images: Tensor) -> list[Tensor]:
        """Return the values of each layer of one batch."""
        return list(self.network_(self._as_uint8(images)))

    def _as_uint8(self, images: Tensor) -> Tensor:
        """Return images as they were in files, (n, 3, H, W) uint8."""
        levels = (255 * to_unit(images, self.space).view_as(images)).round().clamp(0, 255)
        return levels.to(torch.uint8).expand(-1, 3, -1, -1)

    def _built(self, **more: Any) -> nn.Module:
        """Return the network, ready for use on the CPU. Importing it takes seconds."""
        module, cls = self.source
        network: nn.Module = getattr(import_module(f"torch_fidelity.{module}"), cls)(
            self.network, list(self.layers), **more
        )
        return network.eval().requires_grad_(False)


@dataclass(eq=False)
class WeightedExtractor(FidelityExtractor):
    """A network given whole by a file of weights: the official one, or one that is given."""

    official: ClassVar[Official]

    weights: str = genbench.setting("")  # the path of a file, if not the official one in the data folder

    def bind(self, space: genbench.Space, dataset: str) -> None:
        """Take the space, and the SHA-256 of a file that is given. Raises Unsupported, and DataError without it."""
        super().bind(space, dataset)
        if not self.weights:
            self.sha256_ = self.official.sha256
            return
        try:
            self.sha256_ = sha256(expanded(self.weights))
        except OSError as error:
            raise genbench.DataError(
                f"extractor {self.network}: weights {self.weights!r} cannot be read: {error.strerror or error}; "
                f"expected the file of {self.official.url}"
            ) from error

    @property
    def digest(self) -> str:
        """The SHA-256 of the weights."""
        return self.sha256_

    def describe(self) -> str:
        """Return the network, and whose weights it has."""
        own = "" if self.sha256_ == self.official.sha256 else f", weights of one's own {self.sha256_[:8]}"
        return super().describe() + own

    def fetch(self, originals: Path) -> None:
        """Download the official weights, unless they are here or others are given. Raises DataError."""
        self._path(originals)

    def _path(self, originals: Path) -> Path:
        return expanded(self.weights) if self.weights else self.official.fetched(originals)

    def prepare(self, data: genbench.TrainingData, originals: Path, cache: Path) -> None:
        """Load the weights, downloaded first where they are not here. Raises DataError where they cannot be used."""
        path = self._path(originals)
        with tempfile.TemporaryDirectory(prefix="genbench-weights-") as private:
            # torch-fidelity opens files so that what is pickled in them runs: it is only ever given this one
            copy = Path(private) / "weights.pth"
            torch.save(opened(path, self.sha256_), copy)
            try:
                network = self._built(feature_extractor_weights_path=str(copy))
            except RuntimeError as error:
                why = " ".join(str(error).split())[:300]
                raise genbench.DataError(f"weights {str(path)!r} are not those of {self.network}: {why}") from error
        self.network_ = network.to(data.train.images.device)


@dataclass(eq=False)
class Inception(WeightedExtractor):
    """The Inception of published FID, KID and IS: 2,048 features, and logits of its 1,008 outputs without their bias.

    Weights are downloaded once, put into the data folder by hand, or named: `fid[extractor="inception[weights=PATH]"]`.
    It was trained on photographs of things. What it says of digits means little; use domain there.
    """

    version: ClassVar[int] = 1
    network: ClassVar[str] = "inception-v3-compat"
    source: ClassVar[tuple[str, str]] = ("feature_extractor_inceptionv3", "FeatureExtractorInceptionV3")
    layers: ClassVar[tuple[str, ...]] = ("2048", "logits_unbiased")
    official: ClassVar[Official] = Official(
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        95_628_359,
    )

    def logits(self, images: Tensor) -> Tensor:
        """Return logits without bias, as torch-fidelity takes them for the Inception score, (n, 1008)."""
        return self._layers(images)[1]

    def features_and_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return both of one pass, (n, 2048) and (n, 1008)."""
        features, logits = self._layers(images)
        return features, logits


@dataclass(eq=False)
class VGG16(WeightedExtractor):
    """The VGG16 of improved precision and recall: 4,096 features, of its second layer of 4,096 after the ReLU.

    Weights (553 MB) are downloaded once, put into the data folder by hand, or named by the option weights.
    """

    version: ClassVar[int] = 1
    network: ClassVar[str] = "vgg16"
    source: ClassVar[tuple[str, str]] = ("feature_extractor_vgg16", "FeatureExtractorVGG16")
    layers: ClassVar[tuple[str, ...]] = ("fc2_relu",)
    official: ClassVar[Official] = Official(
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        553_433_881,
    )
