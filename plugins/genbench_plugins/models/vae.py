"""The variational autoencoder: a decoder and an encoder that bounds its likelihood (Kingma & Welling 2014)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

import genbench
from genbench_plugins.models import likelihoods
from genbench_plugins.networks import Activation, mlp
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]


@dataclass(eq=False)
class VAE(genbench.Model):
    """Variational autoencoder: p(z) = N(0, I), p(x|z) Gaussian or Bernoulli, q(z|x) Gaussian, of independent values.

    Samples are the decoder's means by default, and say so: Parzen scores reward means over draws. With the Bernoulli
    decoder grey pixels are taken as probabilities, so its bound is no bound on a density of grey values.
    The defaults were chosen by the validation images of `digits`. The presets `mnist` and `tfd` have the sizes of the
    strongest of the VAEs of Yeung et al. 2017 (table 1 and 2: 325 and 2180 nats under Parzen windows), with this
    decoder; how long they trained is not said there, and 200 epochs were chosen here. Of `mnist`, 40 epochs came to 279
    on validation images, sigma out of the paper's ten values.
    """

    version: ClassVar[int] = 1
    family: ClassVar[Literal["explicit"]] = "explicit"

    decoder: Literal["gaussian", "bernoulli"] = "gaussian"
    sigma: Annotated[float, Gt(0)] = 0.15  # standard deviation of the Gaussian decoder, in units of pixel values
    latent: Width = 10
    hidden: tuple[Width, ...] = (200, 200)  # of the encoder; the decoder has the same backwards
    activation: Activation = "relu"
    lr: Annotated[float, Gt(0)] = 3e-3  # of Adam, falling linearly to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    batch: Width = 100
    epochs: Width = 300
    sample_as: Literal["means", "draws"] = "means"
    importance: Annotated[int, Ge(1)] = genbench.setting(1)  # samples of z per image in `bound`: 1 is the ELBO

    presets: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "mnist": {"hidden": (500, 500, 500), "latent": 8, "epochs": 200},
        "tfd": {"hidden": (500, 500, 500), "latent": 15, "epochs": 200},
    }
    search: ClassVar[genbench.Search] = {
        "sigma": genbench.Range(0.05, 0.5, log=True),
        "latent": genbench.Range(4, 100, log=True),
        "hidden": ((100, 100), (200, 200), (500, 500), (500,), (1000,)),
        "activation": ("relu", "tanh", "softplus", "silu"),
        "lr": genbench.Range(3e-4, 1e-2, log=True),
        "lr_end": genbench.Range(0.01, 1.0, log=True),
        "batch": (50, 100, 200),
    }

    def __post_init__(self) -> None:
        self.samples_are = likelihoods.samples_are(self.decoder, self.sample_as)
        self.observations = likelihoods.observations(self.decoder)

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make encoder and decoder, (n, D) -> (n, 2·latent) and (n, latent) -> (n, D), and their optimiser."""
        self.space = space
        self.encoder_ = mlp(space.dim, self.hidden, 2 * self.latent, (self.activation,)).to(device)
        self.decoder_: nn.Module = mlp(self.latent, self.hidden[::-1], space.dim, (self.activation,)).to(device)
        parameters = [*self.encoder_.parameters(), *self.decoder_.parameters()]
        self.optimiser_ = torch.optim.Adam(parameters, self.lr, fused=True)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Maximise the bound of eq. 3 by the reparameterised estimator of eq. 10, one z per image."""
        self.encoder_.train()
        self.decoder_.train()
        steps = self.epochs * math.ceil(len(data.train) / self.batch)
        for images, _ in run.batches(data.train, self.batch, self.epochs, select=True):
            self._set_lr((run.step - 1) / steps)
            x = to_unit(images, self.space)  # (n, D) in [0, 1]
            mu, log_var = self._posterior(x)  # (n, latent) each
            eps = torch.randn(mu.shape, generator=run.generator, device=mu.device)
            z = mu + (log_var / 2).exp() * eps
            rec = self._log_likelihood(x, self.decoder_(z)).mean()
            kl = kl_from_prior(mu, log_var).mean()
            self.optimiser_.zero_grad()
            torch.autograd.backward(kl - rec)
            self.optimiser_.step()
            run.log(rec=rec, kl=kl)

    def _set_lr(self, share: float) -> None:
        for group in self.optimiser_.param_groups:
            group["lr"] = self.lr * (1 - (1 - self.lr_end) * share)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.encoder_(x).chunk(2, 1)
        return mu, log_var

    def _log_likelihood(self, x: Tensor, a: Tensor) -> Tensor:
        """Return log p(x|z) in nats of x in [0, 1] and the decoder's pre-activations a, (n, D) each -> (n,)."""
        return likelihoods.log_likelihood(x, a, self.decoder, self.sigma)

    # Abilities

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return means of p(x|z), or draws from it (those of the Gaussian clipped), for z from the prior."""
        p = self.decoder_(self.latents(n, generator)).sigmoid()  # (n, D)
        if self.sample_as == "draws":
            p = likelihoods.draw(p, self.decoder, self.sigma, generator)
        return to_images(p, self.space)

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Return z from the prior, (n, latent)."""
        return torch.randn(n, self.latent, generator=generator, device=generator.device)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return the means of q(z|x), (n, latent)."""
        return self._posterior(to_unit(x, self.space))[0]

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return the means of p(x|z), (n, C, H, W)."""
        return to_images(self.decoder_(z).sigmoid(), self.space)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return the mean of p(x|z) at the mean of q(z|x), (n, C, H, W)."""
        return self.decode(self.encode(x))

    def bound(self, x: Tensor) -> Tensor:
        """Return a stochastic lower bound on log p(x) in nats, (n,): of binary images for the Bernoulli decoder.

        With `importance` samples k: log of the mean of k weights p(x, z) / q(z|x) (Burda et al. 2016, eq. 8).
        """
        return self.log_weights(x, self.importance, None).logsumexp(0) - math.log(self.importance)

    @torch.no_grad()
    def log_weights(self, x: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
        """Return log p(x, z) - log q(z|x) in nats, (k, n), for k draws of z for each image; None: torch's stream."""
        x = to_unit(x, self.space)
        mu, log_var = self._posterior(x)
        weights = []
        for _ in range(k):
            eps = torch.randn(mu.shape, generator=generator, device=mu.device)
            z = mu + (log_var / 2).exp() * eps
            log_q = -(eps.square() + log_var).sum(1) / 2  # without the 2π that log_p has too
            log_p = -z.square().sum(1) / 2
            weights.append(self._log_likelihood(x, self.decoder_(z)) + log_p - log_q)
        return torch.stack(weights) + likelihoods.log_jacobian(self.decoder, self.space)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """Return (log p(z), log p(x|z)) in nats, (2, n), for images (n, C, H, W) and codes (n, latent)."""
        log_p = -(z.square().sum(1) + z.shape[1] * math.log(2 * math.pi)) / 2
        log_x = self._log_likelihood(to_unit(x, self.space), self.decoder_(z))
        return torch.stack([log_p, log_x + likelihoods.log_jacobian(self.decoder, self.space)])

    @torch.no_grad()
    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Return images drawn from p(x|z), (n, C, H, W): not clipped."""
        return likelihoods.observe(self.decoder_(z).sigmoid(), self.decoder, self.sigma, self.space, generator)


def kl_from_prior(mu: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mu, exp(log_var)) || N(0, I)) in nats, (n,): appendix B of the paper, with the sign turned."""
    return (mu.square() + log_var.exp() - 1 - log_var).sum(1) / 2
