"""A decoder whose evidence is known in closed form, by scipy: z ~ N(0, I), x|z ~ N(Wz + b, sigma² I)."""

import numpy as np
import torch
from scipy.stats import multivariate_normal
from torch import Tensor
from torch.distributions import Normal

import genbench


class LinearGaussian(genbench.Model):
    """The decoder with q(z|x) = N(A(x - b), scale² I), which is no posterior of it; images are of `dim` pixels."""

    def __init__(self, dim: int = 4, latent: int = 2, sigma: float = 0.3, scale: float = 0.25, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        self.W_ = torch.randn(dim, latent, generator=g, dtype=torch.float64)
        self.b_ = torch.randn(dim, generator=g, dtype=torch.float64)
        self.A_ = 0.8 * torch.linalg.pinv(self.W_)
        self.sigma, self.scale, self.latent = sigma, scale, latent
        self.space = genbench.Space((1, 1, dim), None, (-10.0, 10.0))

    def build(self, space, device) -> None: ...

    def fit(self, data, run) -> None: ...

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        return self.observe(self.latents(n, generator), generator)

    def latents(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.latent, generator=generator, dtype=torch.float64)

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.W_.T + self.b_).view(len(z), *self.space.shape)

    def observe(self, z: Tensor, generator: torch.Generator) -> Tensor:
        mean = self.decode(z)
        return mean + self.sigma * torch.randn(mean.shape, generator=generator, dtype=torch.float64)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        log_p_x = Normal(self.decode(z), self.sigma).log_prob(x).flatten(1).sum(1)
        return torch.stack([Normal(0.0, 1.0).log_prob(z).sum(1), log_p_x])

    def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
        mean = (x.flatten(1).double() - self.b_) @ self.A_.T
        eps = torch.randn(k, *mean.shape, generator=generator, dtype=torch.float64)
        log_q = Normal(0.0, self.scale).log_prob(self.scale * eps).sum(2)
        z = (mean + self.scale * eps).flatten(0, 1)
        return self.log_joint(x.repeat(k, 1, 1, 1), z).sum(0).view(k, len(x)) - log_q

    # In closed form, by numpy and scipy

    def evidence(self, x: Tensor) -> np.ndarray:
        """Return log p(x), (n,)."""
        W, dim = self.W_.numpy(), len(self.W_)
        covariance = W @ W.T + self.sigma**2 * np.eye(dim)
        return multivariate_normal(self.b_.numpy(), covariance).logpdf(x.flatten(1).double().numpy())

    def elbo(self, x: Tensor) -> np.ndarray:
        """Return E_q[log p(x, z) - log q(z|x)], (n,): term by term, of Gaussians."""
        W, dim = self.W_.numpy(), len(self.W_)
        centred = x.flatten(1).double().numpy() - self.b_.numpy()
        mean = centred @ self.A_.numpy().T
        error = ((centred - mean @ W.T) ** 2).sum(1) + self.scale**2 * np.trace(W.T @ W)
        log_p_x = -error / (2 * self.sigma**2) - dim / 2 * np.log(2 * np.pi * self.sigma**2)
        log_p_z = -((mean**2).sum(1) + self.latent * self.scale**2) / 2 - self.latent / 2 * np.log(2 * np.pi)
        entropy = self.latent / 2 * np.log(2 * np.pi * np.e * self.scale**2)
        return log_p_x + log_p_z + entropy
