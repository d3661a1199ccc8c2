"""Adversarial nets with an inference network: it predicts z given G(z) (Goodfellow et al. 2014, section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor
from torch.nn.functional import mse_loss

import genbench
from genbench_plugins.models.adversarial import Width
from genbench_plugins.models.autoencoding import descend, set_lr
from genbench_plugins.models.gan import GAN
from genbench_plugins.networks import Activation, mlp
from genbench_plugins.scaling import to_unit


@dataclass(eq=False)
class InferenceGAN(GAN):
    """Adversarial nets of `gan`, and an auxiliary network that predicts z given x: its conclusions, number 2.

    The network I minimises the mean of (z - I(G(z)))², G left alone, as the inferer of the code that was published with
    the paper does: so I(x) goes to the mean of z given G(z) = x. That code has no recipe for it, nor has the paper
    figures: its size, optimiser and epochs were chosen here by the validation images of `digits`. It is trained once
    the game is over, on as many fresh samples an epoch as there are training images; G and D are then those of `gan` to
    the bit. Or it is trained beside the game, by one update after each of G. Either way on samples as `sample` draws
    them: where G's weights are averaged, on those of the averaged G.

    Real images are no samples: in training I sees G(z) plus Gaussian noise, `i_noise`, so that it also answers for
    images near to samples. The published code has such noise too (`noise_both`), on what D sees as well.

    A budget that ends the game leaves nothing for training afterwards.
    """

    version: ClassVar[int] = 1

    inference: Literal["afterwards", "beside"] = "afterwards"
    i_hidden: tuple[Width, ...] = (256, 256)
    i_activation: Activation = "leaky-relu"
    i_noise: Annotated[float, Ge(0)] = 0.1  # standard deviation, of pixels scaled to [0, 1]
    i_lr: Annotated[float, Gt(0)] = 3e-3  # of Adam; afterwards, it falls linearly to a tenth
    i_epochs: Width = 200  # afterwards

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make the networks of `gan`, then I, (n, D) -> (n, latent), and its optimiser."""
        super().build(space, device)
        self.I_ = mlp(space.dim, self.i_hidden, self.latent, (self.i_activation,)).to(device)
        self.optimise_I_ = torch.optim.Adam(self.I_.parameters(), self.i_lr, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Play the game, then train I unless that was done beside it."""
        super().fit(data, run)
        if self.inference == "afterwards":
            for x, _ in run.batches(data.train, self.batch, self.i_epochs):
                set_lr(self.optimise_I_, self.i_lr, 0.1, run.epoch, self.i_epochs)
                run.log(i=self._update_inference(len(x), run.generator))

    def _beside(self, run: genbench.Run) -> Mapping[str, Tensor]:
        if self.inference == "afterwards":
            return {}
        loss = self._update_inference(self.batch, run.generator)
        self.G_.train()  # where it is G itself that samples are drawn from, that was without noise or dropout
        return {"i": loss}

    def _update_inference(self, m: int, generator: torch.Generator) -> Tensor:
        """Descend the gradient of I's loss on m samples; return the loss."""
        z = self._z(m, generator)
        x = to_unit(self._generate(z), self.space)  # (m, D), without gradient
        noise = self.i_noise * torch.randn(x.shape, generator=generator, device=x.device)
        loss = mse_loss(self.I_(x + noise), z)
        descend(self.optimise_I_, loss)
        return loss.detach()

    # Abilities

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return I(x), the prediction of z, (n, latent)."""
        z: Tensor = self.I_(to_unit(x, self.space))
        return z

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return G(I(x)), (n, C, H, W)."""
        return self.decode(self.encode(x))
