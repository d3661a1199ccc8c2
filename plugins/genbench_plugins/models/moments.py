"""Mean and directions of greatest variance of images, at the cost of the smaller of their number and their size."""

from __future__ import annotations

import torch
from torch import Tensor

EXACT = 4096
"""The largest matrix whose eigenvectors are all computed, unless a fifth of them are asked for.

One of 3,072 takes 25 s of one core.
"""
SPARE = 20
"""Directions beside those asked for that an iteration carries along: it converges the faster."""
ITERATIONS = 200
CONVERGED = 1e-12
"""Relative change of the variance found at which an iteration ends: far below what float32 tells apart."""


def centred(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (D,), and the images less it as rows (n, D), both float64."""
    x = images.flatten(1).to(torch.float64, copy=True)
    mean = x.mean(0)
    return mean, x.sub_(mean)


def covariance_root(x: Tensor) -> Tensor:
    """Return a matrix R (D, r) float32, RR' being the covariance of centred rows (n, D), by maximum likelihood.

    It is by eigenvalues where D is small, since pixels that never change make the covariance singular. Else it is the
    rows themselves over the root of n, which is exact and costs nothing.
    """
    n, dim = x.shape
    if dim > min(n, EXACT):
        return x.T.float().div_(n**0.5)
    values, vectors = torch.linalg.eigh(x.T @ x / n)
    root: Tensor = vectors * values.clamp_min(0).sqrt()
    return root.float()


def directions(x: Tensor, count: int) -> Tensor:
    """Return orthonormal directions of greatest variance of centred rows (n, D), (D, k) float32.

    They are `count`, or as many as n rows and D columns have. Exact where n or D is small, or most of them are asked
    for; else iterated until the variance found stays the same.
    """
    n, dim = x.shape
    if min(n, dim) > max(EXACT, 5 * count):
        return _by_iteration(x, count)
    return _of_pixels(x, count) if dim <= n else _of_rows(x, min(count, max(n - 1, 1)))


def _of_pixels(x: Tensor, count: int) -> Tensor:
    vectors: Tensor = torch.linalg.eigh(x.T @ x).eigenvectors  # ascending
    return vectors[:, -count:].float()


def _of_rows(x: Tensor, count: int) -> Tensor:
    """Take them from the n x n products of rows: u is an eigenvector of xx' where x'u is one of x'x."""
    _, vectors = torch.linalg.eigh(x @ x.T)  # ascending
    found: Tensor = torch.linalg.qr(x.T @ vectors[:, -count:].flip(1)).Q
    return found.float()


def _by_iteration(x: Tensor, count: int) -> Tensor:
    """Multiply a random subspace by x'x until the variance in its best `count` directions no longer grows."""
    start = torch.randn(x.shape[1], count + SPARE, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    basis: Tensor = torch.linalg.qr(start.to(x.device)).Q  # (D, count + SPARE)
    before = 0.0
    for _ in range(ITERATIONS):
        basis, lengths, _ = torch.linalg.svd(x.T @ (x @ basis), full_matrices=False)
        found = lengths[:count].sum().item()
        if found - before <= CONVERGED * found:
            break
        before = found
    return basis[:, :count].float()
