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
class LogWeights(Protocol):
    """Importance weights of a latent variable model: the bounds of Burda et al. 2016 are made of them."""

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        """Return log p(x, z) - log q(z|x) in nats, (k, n), for k draws of z from q(z|x) for each image."""


@runtime_checkable
class LogJoint(Protocol):
    """The joint density of images and codes of a decoder, the codes distributed as `latents` draws them."""

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """Return (log p(z), log p(x|z)) in nats, (2, n), for images (n, C, H, W) and codes (n, d): with gradients."""


@runtime_checkable
class Observe(Protocol):
    """Draws of images from a decoder, as `log_joint` has them: they tell how far an estimate of log p(x) is off."""

    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Return images drawn from p(x|z), (n, C, H, W), for codes (n, d): not clipped to the bounds."""


@runtime_checkable
class Partition(Protocol):
    """The constant of a density that `energy`, or `energy_bound`, leaves open."""

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        """Return log weights of annealed importance sampling (Neal 2001), (chains,): the mean of their exp is Z."""


@runtime_checkable
class EnergyBound(Protocol):
    """A bound on an energy that cannot be computed."""

    def energy_bound(self, x: Tensor) -> Tensor:
        """Return an upper bound on E(x), (n,), where p(x) is proportional to exp(-E(x)): so a lower one on log p."""


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
        """Return x with the pixels where mask (n, C, H, W) is 0 filled in; those where it is 1 are kept."""


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
    "log_weights": LogWeights,
    "log_joint": LogJoint,
    "observe": Observe,
    "log_partition": Partition,
    "energy_bound": EnergyBound,
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
