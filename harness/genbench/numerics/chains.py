"""How well Markov chains mix: autocorrelation time, effective sample size, and agreement between chains."""

import torch
from torch import Tensor

WINDOW = 5.0
"""Sums of autocorrelations end at the first lag beyond this many autocorrelation times (Sokal 1997)."""


def autocorrelation(x: Tensor) -> Tensor:
    """Return the autocorrelation of chains (T, C) at lags 0..T-1, the mean over chains, (T,) float64.

    By the fast Fourier transform, about the mean of all chains, so that chains stuck apart are seen as correlated.
    """
    centred = x.double() - x.double().mean()  # (T, C)
    steps = len(centred)
    spectrum = torch.fft.rfft(centred, n=2 * steps, dim=0).abs().square()
    covariance: Tensor = torch.fft.irfft(spectrum, n=2 * steps, dim=0)[:steps].mean(1)  # (T,)
    weights = torch.arange(steps, 0, -1, dtype=torch.float64, device=x.device)  # terms in each sum
    covariance = covariance / weights
    if covariance[0] > 0:
        return covariance / covariance[0]
    return torch.eye(steps, 1, dtype=torch.float64, device=x.device).flatten()


def autocorrelation_time(x: Tensor) -> float:
    """Return the integrated autocorrelation time of chains (T, C) in steps: 1 + 2 Σ ρ(t), at least 1.

    The sum is cut by Sokal's automatic window: at the first lag M with M >= 5 τ(M). Where no lag in the chains is so
    long, all are summed: the time is then a lower bound, and `potential_scale_reduction` shows why. Constant values
    have 1.
    """
    # On the host, since CUDA adds floats up in no fixed order.
    times = 2 * autocorrelation(x).cpu().cumsum(0) - 1  # τ(M) for M = 0..T-1
    lags = torch.arange(len(times))
    enough = (lags >= WINDOW * times).nonzero()
    window = int(enough[0]) if len(enough) else len(times) - 1
    return max(1.0, times[window].item())


def effective_sample_size(x: Tensor) -> float:
    """Return the effective number of values of chains (T, C): their number over the autocorrelation time."""
    return x.numel() / autocorrelation_time(x)


def potential_scale_reduction(x: Tensor) -> float:
    """Return split R-hat of chains (T, C): about 1 where the halves of all chains agree, and more where they do not.

    Gelman et al. 2013, section 11.4: the root of the pooled over the mean variance within half chains. Needs T >= 4;
    infinite where the halves are constant and differ, 1 where all values are the same.
    """
    half = len(x) // 2
    halves = torch.cat([x[:half], x[half : 2 * half]], 1).double()  # (T/2, 2C)
    within = halves.var(0).mean()
    between = half * halves.mean(0).var()
    if within == 0:
        return 1.0 if between == 0 else float("inf")
    return (((half - 1) / half * within + between / half) / within).sqrt().item()
