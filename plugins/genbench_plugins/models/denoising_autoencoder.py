"""The generalised denoising autoencoder: it undoes a corruption, and corrupts and undoes in turn to sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt, MinLen
from torch import Tensor, nn

import genbench
from genbench_plugins.models.autoencoding import descend, optimiser_of, reconstruction_error, set_lr
from genbench_plugins.models.markov_chains import from_chains
from genbench_plugins.models.noise import bernoulli, salt_and_pepper
from genbench_plugins.networks import Activation, activation, mlp
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(eq=False)
class DenoisingAutoencoder(genbench.Model):
    """Generalised denoising autoencoder (Bengio, Yao, Alain & Vincent 2013): learns P(X|X~), X~ a corrupted image.

    Samples come from the chain X_t ~ P(X|X~_{t-1}), X~_t ~ C(X~|X_t), whose stationary distribution is the model. P is
    Bernoulli or Gaussian with a fixed width, of independent pixels; the mean is a multilayer perceptron of X~. With the
    Bernoulli one the chain visits binary images, and grey pixels are taken as probabilities in training.
    Chains start at uniform noise. Samples are means of P(X|X~_t) along them by default, and say so.
    The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    family: ClassVar[Literal["chain"]] = "chain"
    sample_batch: ClassVar[int] = 10_000  # the chains burn in anew for each
    search: ClassVar[genbench.Search] = {
        "corruption": ("gaussian", "masking", "salt-and-pepper"),
        "noise": genbench.Range(0.1, 1.0, log=True),
        "corrupted": genbench.Range(0.1, 0.7),
        "sigma": genbench.Range(0.05, 0.5, log=True),
        "hidden": ((128, 128), (256, 256), (500, 500), (1000,)),
        "walkback": genbench.Range(0.0, 0.8),
        "activation": ("relu", "tanh", "silu"),
        "lr": genbench.Range(1e-4, 1e-2, log=True),
    }

    # C(X~|X), in units of pixel values scaled to [0, 1]
    corruption: Literal["gaussian", "masking", "salt-and-pepper"] = "gaussian"
    noise: Annotated[float, Ge(0)] = 0.3  # of gaussian: the standard deviation
    corrupted: Share = 0.4  # of the others: the share of pixels set to 0, or to 0 or 1 by even chance
    # P(X|X~)
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    sigma: Annotated[float, Gt(0)] = 0.15  # standard deviation of gaussian
    hidden: Annotated[tuple[Width, ...], MinLen(1)] = (256, 256)  # of the encoder; the decoder has the others backwards
    activation: Activation = "relu"
    # Training
    walkback: Annotated[float, Ge(0), Lt(1)] = 0.0  # probability of each further step of walkback; 0: none
    optimiser: Literal["adam", "rmsprop", "adadelta"] = "adam"
    lr: Annotated[float, Gt(0)] = 1e-3  # adadelta wants about 1; falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    batch: Width = 100
    epochs: Width = 300
    # Samples
    chains: Width = 100  # run side by side
    burn_in: Annotated[int, Ge(0)] = 500  # steps of each before the first that is kept
    thin: Annotated[int, Ge(1)] = 10  # steps between two that are kept
    sample_as: Literal["means", "draws"] = "means"

    def __post_init__(self) -> None:
        clipped = self.likelihood == "gaussian" and self.sample_as == "draws"
        self.samples_are = "clipped" if clipped else self.sample_as

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make encoder and decoder, (n, D) -> (n, hidden[-1]) and back, and their optimiser."""
        self.space = space
        names = (self.activation,)
        *below, top = self.hidden
        self.encoder_ = nn.Sequential(mlp(space.dim, below, top, names), activation(self.activation)).to(device)
        self.decoder_ = mlp(top, below[::-1], space.dim, names).to(device)
        parameters = [*self.encoder_.parameters(), *self.decoder_.parameters()]
        self.optimiser_ = optimiser_of(self.optimiser, parameters, self.lr)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Minimise -log P(X|X~) over pairs of images and what corruption, or walkback, made of them."""
        for images, _ in run.batches(data.train, self.batch, self.epochs):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            x, corrupted = self.pairs(to_unit(images, self.space), run.generator)  # (m, D) each
            nll = self._nll(self.decoder_(self.encoder_(corrupted)), x).mean()
            descend(self.optimiser_, nll)
            run.log(nll=nll)

    @torch.no_grad()
    def pairs(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return pairs of X and X~ to train on, (n, D) -> (m, D) each: n, and by walkback more.

        Walkback: X~* ~ C(X~|X*) starts at X* = X and goes on from X* ~ P(X|X~*) with probability `walkback` after each
        step; every X~* on the way makes a pair with X, so that the chain is led back from where it strays.
        """
        xs, walked = [x], [self.corrupt(x, generator)]
        while self.walkback:
            goes_on = torch.rand(len(xs[-1]), generator=generator, device=x.device) < self.walkback
            rows = goes_on.nonzero()[:, 0]  # the one thing that waits for a GPU
            if len(rows) == 0:
                break
            x_star = self._draw(self._mean(walked[-1][rows]), generator)
            xs.append(xs[-1][rows])
            walked.append(self.corrupt(x_star, generator))
        return torch.cat(xs), torch.cat(walked)

    def corrupt(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return X~ drawn from C(X~|X), (n, D)."""
        if self.corruption == "gaussian":
            return x + self.noise * torch.randn(x.shape, generator=generator, device=x.device)
        if self.corruption == "salt-and-pepper":
            return salt_and_pepper(x, self.corrupted, generator)
        return x.masked_fill(torch.rand(x.shape, generator=generator, device=x.device) < self.corrupted, 0)

    def _mean(self, corrupted: Tensor) -> Tensor:
        """Return the mean of P(X|X~), (n, D)."""
        mean: Tensor = self.decoder_(self.encoder_(corrupted)).sigmoid()
        return mean

    def _draw(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        """Return X drawn from P(X|X~) of this mean, (n, D)."""
        if self.likelihood == "bernoulli":
            return bernoulli(mean, generator)
        return mean + self.sigma * torch.randn(mean.shape, generator=generator, device=mean.device)

    def _nll(self, a: Tensor, x: Tensor) -> Tensor:
        """Return -log P(X|X~) in nats of the decoder's pre-activations a, (n, D) -> (n,)."""
        if self.likelihood == "bernoulli":
            return reconstruction_error(a, x, "bce")
        constant = x.shape[1] * math.log(self.sigma * math.sqrt(2 * math.pi))
        return reconstruction_error(a, x, "mse") / (2 * self.sigma**2) + constant

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return means of P(X|X~), or draws from it (those of the Gaussian clipped), along parallel chains."""

        def step(mean: Tensor) -> Tensor:
            return self._mean(self.corrupt(self._draw(mean, generator), generator))

        def emit(mean: Tensor) -> Tensor:
            return self._draw(mean, generator) if self.sample_as == "draws" else mean

        start = torch.rand(self.chains, self.space.dim, generator=generator, device=generator.device)
        return to_images(from_chains(start, step, emit, n, self.burn_in, self.thin), self.space)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the code of uncorrupted images, (n, hidden[-1])."""
        h: Tensor = self.encoder_(to_unit(x, self.space))
        return h

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return the means of P(X|X~) for codes of X~, (n, C, H, W)."""
        return to_images(self.decoder_(z).sigmoid(), self.space)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of P(X|X~) where X~ is x itself, (n, C, H, W)."""
        return self.decode(self.encode(x))

    def features(self, x: Tensor) -> Tensor:
        """Return the code of uncorrupted images, (n, hidden[-1])."""
        return self.encode(x)
