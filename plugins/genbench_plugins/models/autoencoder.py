"""The autoencoder: an encoder and a decoder with a bottleneck, and a density fitted to its codes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

import genbench
from genbench_plugins.models.autoencoding import Loss, descend, optimiser_of, reconstruction_error, set_lr
from genbench_plugins.networks import Activation, mlp
from genbench_plugins.scaling import to_images, to_unit

Width = Annotated[int, Gt(0)]


@dataclass(eq=False)
class Autoencoder(genbench.Model):
    """Autoencoder with a bottleneck (Hinton & Salakhutdinov 2006); its codes are drawn from a mixture of Gaussians.

    An autoencoder has no sampler of its own: when training has ended, a mixture with full covariances is fitted to the
    codes of the training images by maximum likelihood (the ex-post density estimation of Ghosh et al. 2020), and
    samples are what the decoder makes of its draws. These are means of p(x|z), nothing is drawn around them.
    The defaults were chosen by the validation images of `digits`.
    """

    version: ClassVar[int] = 1
    search: ClassVar[genbench.Search] = {
        "latent": genbench.Range(4, 64, log=True),
        "hidden": ((100, 100), (200, 200), (500, 500), (500, 250, 100)),
        "activation": ("relu", "tanh", "softplus", "silu"),
        "loss": ("mse", "bce"),
        "lr": genbench.Range(3e-4, 1e-2, log=True),
        "batch": (50, 100, 200),
        "components": genbench.Range(1, 100, log=True),
    }
    samples_are = "means"

    latent: Width = 10
    hidden: tuple[Width, ...] = (200, 200)  # of the encoder; the decoder has the same backwards
    activation: Activation = "relu"
    loss: Loss = "mse"  # squared error, or cross-entropy with pixels taken as probabilities
    optimiser: Literal["adam", "rmsprop", "adadelta"] = "adam"
    lr: Annotated[float, Gt(0)] = 3e-3  # adadelta wants about 1; falling linearly, epoch by epoch, to
    lr_end: Annotated[float, Gt(0), Le(1)] = 0.1  # this share of it
    batch: Width = 100
    epochs: Width = 300
    components: Annotated[int, Ge(1)] = 10  # Gaussians of the mixture; at most as many as there are training images

    def build(self, space: genbench.Space, device: torch.device) -> None:
        """Make encoder and decoder, (n, D) -> (n, latent) and back, and their optimiser; begin with standard codes."""
        self.space = space
        self.encoder_ = mlp(space.dim, self.hidden, self.latent, (self.activation,)).to(device)
        self.decoder_ = mlp(self.latent, self.hidden[::-1], space.dim, (self.activation,)).to(device)
        parameters = [*self.encoder_.parameters(), *self.decoder_.parameters()]
        self.optimiser_ = optimiser_of(self.optimiser, parameters, self.lr)
        self.cumulative_ = torch.ones(1, device=device)  # (k,) weights of the mixture, summed up
        self.means_ = torch.zeros(1, self.latent, device=device)  # (k, latent)
        self.roots_ = torch.eye(self.latent, device=device).unsqueeze(0)  # (k, latent, latent)

    def fit(self, data: genbench.TrainingData, run: genbench.Run) -> None:
        """Minimise the error of reconstruction, then fit the mixture to the codes."""
        for images, _ in run.batches(data.train, self.batch, self.epochs):
            set_lr(self.optimiser_, self.lr, self.lr_end, run.epoch, self.epochs)
            x = to_unit(images, self.space)  # (n, D)
            rec = reconstruction_error(self.decoder_(self.encoder_(x)), x, self.loss).mean()
            descend(self.optimiser_, rec)
            run.log(rec=rec)
        seed = int(torch.randint(2**31, (), generator=run.generator, device=run.device))
        self._fit_mixture(self.encode(data.train.images), seed)

    def _fit_mixture(self, z: Tensor, seed: int) -> None:
        """Fit the mixture to codes (n, latent) by expectation maximisation, from k-means."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        if not z.isfinite().all():
            raise genbench.Diverged("the codes of the training images are not finite")
        k = min(self.components, len(z))
        ridge = 1e-6 * z.double().var(0, correction=0).mean().item() + 1e-12
        mixture = GaussianMixture(k, reg_covar=ridge, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its last step is as good a density as any
            mixture.fit(z.double().cpu().numpy())
        weights, means, covariances = (
            torch.from_numpy(array) for array in (mixture.weights_, mixture.means_, mixture.covariances_)
        )
        self.cumulative_ = weights.cumsum(0).float().to(z.device)
        self.means_ = means.float().to(z.device)
        self.roots_ = torch.linalg.cholesky(covariances).float().to(z.device)

    # Abilities

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Return what the decoder makes of codes from the mixture, (n, C, H, W)."""
        return self.decode(self.latents(n, generator))

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        """Return codes from the mixture, (n, latent)."""
        u = torch.rand(n, generator=generator, device=generator.device)
        c = torch.searchsorted(self.cumulative_, u).clamp_max(len(self.means_) - 1)  # (n,)
        e = torch.randn(n, self.latent, 1, generator=generator, device=generator.device)
        return self.means_[c] + (self.roots_[c] @ e).squeeze(2)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return codes, (n, latent)."""
        z: Tensor = self.encoder_(to_unit(x, self.space))
        return z

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Return images of codes, (n, C, H, W)."""
        return to_images(self.decoder_(z).sigmoid(), self.space)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return what the decoder makes of the codes of x, (n, C, H, W)."""
        return self.decode(self.encode(x))
