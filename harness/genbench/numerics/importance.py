"""Means of importance weights, which are given as logarithms and block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """What k log weights for each of n things come to, each (n,) float64.

    log_mean is the log of the mean weight, mean_log the mean of their logs, which is never greater; effective is how
    many equal weights would be worth as much, (Σw)²/Σw², between 1 and k.
    """

    log_mean: Tensor
    mean_log: Tensor
    effective: Tensor


def summary(blocks: Iterable[Tensor]) -> Weights:
    """Return what log weights come to, given in blocks (b, n) of which only one is held at a time.

    Raises ValueError where there is no block, or a weight is NaN or +infinity.
    """
    count, total, squares, logs = 0, torch.tensor(-math.inf), torch.tensor(-math.inf), torch.tensor(0.0)
    for block in blocks:
        log_w = block.double()  # (b, n)
        if bool((log_w.isnan() | (log_w == math.inf)).any()):
            raise ValueError("log weights hold NaN or infinity: expected finite values")
        count += len(log_w)
        total = torch.logaddexp(total.to(log_w), log_w.logsumexp(0))
        squares = torch.logaddexp(squares.to(log_w), (2 * log_w).logsumexp(0))
        logs = logs.to(log_w) + log_w.sum(0)
    if not count:
        raise ValueError("no log weights: expected at least one for each image")
    return Weights(total - math.log(count), logs / count, (2 * total - squares).exp())


def log_mean_and_error(log_w: Tensor) -> tuple[float, float]:
    """Return the log of the mean of weights (k,), and its standard error to first order: that of the mean over it.

    Raises ValueError for fewer than two weights, or NaN or +infinity.
    """
    if len(log_w) < 2:
        raise ValueError(f"{len(log_w)} log weights: expected at least 2, whose spread gives the error")
    log_mean = summary([log_w.view(-1, 1)]).log_mean
    relative = (log_w.double() - log_mean).exp()  # weights over their mean
    return log_mean.item(), relative.std().item() / len(log_w) ** 0.5
