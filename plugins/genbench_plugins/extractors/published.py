"""CLIP and DINOv2 as published distances take them: Pillow's bicubic filter to 224 pixels, weights by safetensors.

Nothing that is downloaded runs: files of safetensors hold numbers alone, and the networks are defined here or by
torch-fidelity.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

import genbench
from genbench_plugins.extractors.fidelity import WeightedExtractor
from genbench_plugins.extractors.official_weights import Official, checked, content_of
from genbench_plugins.extractors.vision_transformer import Sizes, VisionTransformer, renamed

SIDE = 224
"""Pixels a side of what the networks look at."""


class PublishedExtractor(WeightedExtractor):
    """A network with the resizing and the channels' mean and deviation that published distances are made with.

    Images become 224x224 by Pillow's bicubic filter, which is antialiased, and are rounded to uint8: squashed where
    they are no squares, or their central squares.
    """

    centre: ClassVar[bool]
    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]
    sizes: ClassVar[Sizes]

    def _pass(self, images: Tensor) -> list[Tensor]:
        return [self.network_(self._standardised(self._as_uint8(images)))]

    def _standardised(self, levels: Tensor) -> Tensor:
        """Return what the network looks at, (n, 3, H, W) uint8 -> (n, 3, 224, 224) float32, on the same device."""
        import numpy as np
        from PIL import Image

        pictures = (Image.fromarray(each) for each in levels.permute(0, 2, 3, 1).cpu().numpy())
        resized = np.stack([np.asarray(self._resized(picture)) for picture in pictures])
        units = torch.from_numpy(resized).to(levels.device).permute(0, 3, 1, 2).float().div(255)
        mean, std = (units.new_tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (units - mean) / std

    def _resized(self, picture: Any) -> Any:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.functional import center_crop, resize

        size = [SIDE] if self.centre else [SIDE, SIDE]
        return center_crop(resize(picture, size, InterpolationMode.BICUBIC), [SIDE, SIDE])

    def prepare(self, data: genbench.TrainingData, originals: Path, cache: Path) -> None:
        """Load the weights, downloaded first where they are not here. Raises DataError where they cannot be used."""
        path = self._path(originals)
        state = self._named(_tensors(path, self.sha256_))
        with torch.device("meta"):  # so that weights which are replaced at once are not drawn
            network = self._network()
        try:
            network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
        except RuntimeError as error:
            why = " ".join(str(error).split())[:300]
            raise genbench.DataError(
                f"weights {str(path)!r} are not those of {self.network}: {why}. Expected the names and shapes of "
                f"{self.official.url}"
            ) from error
        self.network_ = network.eval().requires_grad_(False).to(data.train.images.device)

    @abstractmethod
    def _network(self) -> nn.Module:
        """Return the network, of any weights."""

    @abstractmethod
    def _named(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the network's weights by its own names, of those in a published file."""


def _tensors(path: Path, sha256: str) -> dict[str, Tensor]:
    """Return the tensors in a file of safetensors of this SHA-256. Raises DataError where it is anything else."""
    content = content_of(path, sha256)
    try:
        return checked(load(content), path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise genbench.DataError(
            f"weights {str(path)!r} are no file of safetensors ({error}); expected tensors only: a pickle or a "
            "TorchScript archive is code, and is not opened"
        ) from error


@dataclass(eq=False)
class CLIP(PublishedExtractor):
    """The image encoder of OpenAI's CLIP ViT-B/32: 512 features, as clean-fid's `clip_vit_b_32` takes them.

    The shorter side becomes 224 pixels by Pillow's bicubic filter on uint8, and the central square is taken; mean and
    standard deviation are CLIP's own. Others take other CLIPs (CMMD ViT-L/14 at 336 pixels, dgm-eval DataComp's
    ViT-L/14): their numbers do not compare. Weights (605 MB) are downloaded once, put into the data folder by hand, or
    named by the option weights: safetensors by the names of open_clip.
    """

    version: ClassVar[int] = 2
    network: ClassVar[str] = "CLIP ViT-B/32"
    shown: ClassVar[str] = "OpenAI's CLIP ViT-B/32, 224 px of Pillow's bicubic and centre square as clean-fid's,"
    centre: ClassVar[bool] = True
    mean: ClassVar[tuple[float, float, float]] = (0.48145466, 0.4578275, 0.40821073)
    std: ClassVar[tuple[float, float, float]] = (0.26862954, 0.26130258, 0.27577711)
    sizes: ClassVar[Sizes] = Sizes(768, 12, 12)
    patch: ClassVar[int] = 32
    codes: ClassVar[int] = 512
    official: ClassVar[Official] = Official(
        "https://huggingface.co/timm/vit_base_patch32_clip_224.openai/resolve/"
        "a6f597a30f7b82c51704746581f9a4e41421e878/open_clip_model.safetensors",
        "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
        605_143_284,
        "clip-vit-b-32",
    )

    def _network(self) -> nn.Module:
        from torch_fidelity.feature_extractor_clip import VisionTransformer as Visual

        build: Callable[..., nn.Module] = Visual
        return build(SIDE, self.patch, self.sizes.width, self.sizes.depth, self.sizes.heads, self.codes)

    def _named(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what is below `visual.`: the rest of the file encodes texts."""
        return {name.removeprefix("visual."): each for name, each in state.items() if name.startswith("visual.")}


@dataclass(eq=False)
class DINOv2(PublishedExtractor):
    """The image encoder DINOv2 ViT-L/14: 1,024 features, as dgm-eval takes them for FD-DINOv2 (Stein et al. 2023).

    Images become 224x224 by Pillow's bicubic filter on uint8; mean and standard deviation are ImageNet's. Weights
    (1.2 GB) are downloaded once, put into the data folder by hand, or named by the option weights: safetensors by the
    names of facebook/dinov2-large, or of the published state dict, which timm's file has.
    """

    version: ClassVar[int] = 2
    network: ClassVar[str] = "DINOv2 ViT-L/14"
    shown: ClassVar[str] = "DINOv2 ViT-L/14, 224x224 of Pillow's bicubic as dgm-eval's,"
    centre: ClassVar[bool] = False
    mean: ClassVar[tuple[float, float, float]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, float, float]] = (0.229, 0.224, 0.225)
    sizes: ClassVar[Sizes] = Sizes(1024, 24, 16)
    official: ClassVar[Official] = Official(
        "https://huggingface.co/facebook/dinov2-large/resolve/"
        "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c/model.safetensors",
        "399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
        1_217_522_888,
        "dinov2-vit-l-14",
    )

    def _network(self) -> nn.Module:
        return VisionTransformer(self.sizes)

    def _named(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return renamed(state)
