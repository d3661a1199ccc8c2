"""Models that are trained by the adversarial game, whatever their networks are: options, schedules and averages."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

import genbench
from genbench_plugins.models.adversarial_game import Game, Loss, Minibatch
from genbench_plugins.models.classical_momentum import Momentum
from genbench_plugins.networks import follow, init_uniform, linears, set_bias_from_marginals

Width = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Lt(1)]


@dataclass(eq=False)
class AdversarialNets(genbench.Model):
    """A generator and a discriminator, and how they are trained; a model adds the networks, and how it samples.

    G ends in a linear map and `Images`, D in a logit (n,). Both may be given more than noise and images: `given`.
    """

    # z: U(-1, 1), U(-√3, √3) of variance 1, U(0, 1) or N(0, 1)
    noise: Literal["uniform", "unit-uniform", "hypercube", "gaussian"] = "gaussian"
    marginals: bool = True  # start from an output bias of G with the training images' mean
    g_irange: Annotated[float, Ge(0)] = 0.0  # weights from U(-irange, irange), biases 0; irange 0: torch's own init
    d_irange: Annotated[float, Ge(0)] = 0.0
    # The game
    loss: Loss = "non-saturating"
    updates: Literal["simultaneous", "alternating"] = "simultaneous"  # as in the paper's code, as in its Algorithm 1
    k: Width = 1  # updates of D for each of G
    # Optimisation
    optimiser: Literal["adam", "momentum"] = "adam"
    lr: Annotated[float, Gt(0)] = 1e-3  # of G
    d_lr_ratio: Annotated[float, Gt(0)] = 3.0  # of D, as a multiple of G's
    lr_decay: Annotated[float, Ge(1)] = 1.0  # lr is divided by it after each batch,
    lr_floor: Annotated[float, Ge(0)] = 0.0  # down to this
    betas: tuple[Share, Share] = (0.5, 0.999)  # of adam
    momentum: Share = 0.5  # in the first epoch, going linearly to
    momentum_final: Share = 0.5  # from
    momentum_epochs: Width = 1  # on
    max_norm: Annotated[float, Ge(0)] = 0.0  # of each unit's incoming weights, kept after each update; 0: none
    average: Share = 0.999  # decay of the running mean of G's weights that samples come from; 0: G itself
    batch: Width = 100
    epochs: Width = 300

    def _begin(self, G: nn.Module, D: nn.Module, space: genbench.Space) -> None:
        """Take the networks, and make what else changes in training."""
        self.bounds = space.bounds
        self.G_, self.D_ = G, D
        if self.g_irange:
            init_uniform(linears(G), self.g_irange)
        self.averaged_ = copy.deepcopy(G) if self.average else None
        self._begin_discriminator()

    def _begin_discriminator(self) -> None:
        """Draw D's first weights, where they are not torch's own, and make both optimisers."""
        if self.d_irange:
            init_uniform(linears(self.D_), self.d_irange)
        self.optimise_G_ = self._optimiser(self.G_, self.lr)
        self.optimise_D_ = self._optimiser(self.D_, self.lr * self.d_lr_ratio)

    def _optimiser(self, network: nn.Module, lr: float) -> torch.optim.Optimizer:
        if self.optimiser == "momentum":
            return Momentum(network.parameters(), lr, self.momentum)
        return torch.optim.Adam(network.parameters(), lr, self.betas, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Play the game: Algorithm 1, or simultaneous updates."""
        self._start(data.train.images)
        self._play(data, run, self.epochs, select=True)

    def _start(self, images: Tensor) -> None:
        """Take from the training images what training starts from."""
        if self.marginals:
            set_bias_from_marginals(self._output_bias(), images, self.bounds)

    def _output_bias(self) -> Tensor:
        """Return the biases of G's output, (C·H·W,)."""
        bias = linears(self.G_)[-1].bias
        assert bias is not None
        return bias

    def _play(self, data: genbench.TrainingData, run: genbench.Run, epochs: int, select: bool) -> None:
        """Play the game, and after each update of G move the averaged weights."""
        self.G_.train()
        self.D_.train()
        if self.averaged_ is not None:
            self.averaged_.load_state_dict(self.G_.state_dict())
        before = run.step

        def scheduled() -> Iterator[Minibatch]:
            for x, labels in run.batches(data.train, self.batch, epochs, select=select):
                self._schedule(run.epoch, run.step - before)
                yield x, self._given(x, labels, run.generator)

        def draw(m: int) -> Minibatch:
            x, labels = run.draw(data.train, m)
            return x, self._given(x, labels, run.generator)

        game = self._game()
        play = game.play if self.updates == "alternating" else game.play_simultaneously
        for d, g in play(scheduled(), draw, lambda m: self._z(m, run.generator), self.k):
            if self.averaged_ is not None:
                follow(self.averaged_, self.G_, self.average, run.step - before)
            run.log(d=d, g=g, **self._beside(run))

    def _game(self) -> Game:
        return Game(self.G_, self.D_, self.optimise_G_, self.optimise_D_, self.loss, self.max_norm)

    def _given(self, x: Tensor, labels: Tensor | None, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Return what G and D get of a batch beside noise and images: nothing, here."""
        return ()

    def _beside(self, run: genbench.Run) -> Mapping[str, Tensor]:
        """Train what is trained beside the game, after each update of G, and return its losses: nothing, here."""
        return {}

    @abstractmethod
    def _z(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the noise that G makes n images of."""

    def _noise(self, size: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return independent values of the noise's distribution."""
        device = generator.device
        if self.noise == "gaussian":
            return torch.randn(size, generator=generator, device=device)
        u = torch.rand(size, generator=generator, device=device)
        if self.noise == "hypercube":
            return u
        return math.sqrt(3) * (2 * u - 1) if self.noise == "unit-uniform" else 2 * u - 1

    def _schedule(self, epoch: int, step: int) -> None:
        """Set the learning rates of this batch and the momentum of this epoch."""
        lr = self.lr_at(step)
        for optimiser, rate in ((self.optimise_G_, lr), (self.optimise_D_, lr * self.d_lr_ratio)):
            for group in optimiser.param_groups:
                group["lr"] = rate
                if self.optimiser == "momentum":
                    group["momentum"] = self.momentum_at(epoch)

    def lr_at(self, step: int) -> float:
        """Return G's learning rate at a batch, from 1: divided by lr_decay once for each batch before it."""
        return max(self.lr * math.exp(-(step - 1) * math.log(self.lr_decay)), self.lr_floor)

    def momentum_at(self, epoch: int) -> float:
        """Return the momentum in an epoch, from 1: linear from the first epoch to the `momentum_epochs`-th."""
        passed = min((epoch - 1) / max(self.momentum_epochs - 1, 1), 1.0)
        return self.momentum + (self.momentum_final - self.momentum) * passed

    @torch.no_grad()
    def _generate(self, z: Tensor, given: tuple[Tensor, ...] = ()) -> Tensor:
        """Return G(z), (n, C, H, W), of the averaged weights if there are any, without noise or dropout inside G."""
        generator = self.G_ if self.averaged_ is None else self.averaged_
        x: Tensor = generator.eval()(z, *given)
        return x


@dataclass(eq=False)
class OfLatents(AdversarialNets):
    """Adversarial nets whose noise is a vector z (n, latent)."""

    latent: Width = 10

    def _z(self, n: int, generator: torch.Generator) -> Tensor:
        return self._noise((n, self.latent), generator)
