"""What a model may be able to do beyond sampling, found by the methods it has and listed by `genbench show NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@runtime_checkable
class LogProb(Protocol):
    """The exact log density."""

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats, (n,)."""


@runtime_checkable
class Bound(Protocol):
    """A lower bound on the log density: ELBO, IWAE."""

    def bound(self, x: Tensor) -> Tensor:
        """Return a stochastic lower bound on log p(x) in nats, (n,)."""


@runtime_checkable
class Reconstruct(Protocol):
    """Reconstruction of images."""

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return images like x, (n, C, H, W), from what the model keeps of them."""


@runtime_checkable
class Encode(Protocol):
    """Inference: from images to codes."""

    def encode(self, x: Tensor) -> Tensor:
        """Return codes, (n, d)."""


@runtime_checkable
class Decode(Protocol):
    """Generation from given codes."""

    def decode(self, z: Tensor) -> Tensor:
        """Return images (n, C, H, W) of codes (n, d)."""


@runtime_checkable
class Latents(Protocol):
    """Codes drawn from the prior, for interpolation. (Not `latent`: that is what models call the size of a code.)"""

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Return codes drawn from the prior, (n, d)."""


@runtime_checkable
class SampleClass(Protocol):
    """Samples of given classes."""

    def sample_class(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return a sample for each label, (n, C, H, W)."""


@runtime_checkable
class Inpaint(Protocol):
    """Completion of images."""

    def inpaint(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return x with the pixels where mask is 0 filled in; the others are kept."""


@runtime_checkable
class Energy(Protocol):
    """A density up to a constant."""

    def energy(self, x: Tensor) -> Tensor:
        """Return E(x) with p(x) proportional to exp(-E(x)), (n,)."""


@runtime_checkable
class Features(Protocol):
    """A representation of images."""

    def features(self, x: Tensor) -> Tensor:
        """Return features, (n, d)."""


@runtime_checkable
class Discriminate(Protocol):
    """A judgement whether images are real."""

    def discriminate(self, x: Tensor) -> Tensor:
        """Return the probability that each image is real, (n,) in [0, 1]."""


ABILITIES: dict[str, type] = {
    "log_prob": LogProb,
    "bound": Bound,
    "reconstruct": Reconstruct,
    "encode": Encode,
    "decode": Decode,
    "latents": Latents,
    "sample_class": SampleClass,
    "inpaint": Inpaint,
    "energy": Energy,
    "features": Features,
    "discriminate": Discriminate,
}


def abilities(model: object) -> list[str]:
    """Return the names of the abilities that a model, or a model's class, has."""
    return [name for name in ABILITIES if callable(getattr(model, name, None))]
