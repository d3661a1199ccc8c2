"""The two-player game between distributions on finitely many outcomes (Goodfellow et al. 2014, section 4)."""

import math

import torch
from torch import Tensor


def game_value(p_data: Tensor, p_g: Tensor, d: Tensor) -> Tensor:
    """Return V(D, G) = Σ p_data log D + p_g log(1 - D) in nats, eq. 3, of masses and D(x) in [0, 1], each (n,).

    Where an outcome has no mass, D does not matter there; a D that is certain and wrong gives -inf.
    """
    return (torch.xlogy(p_data, d) + torch.xlogy(p_g, 1 - d)).sum()


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """Return D* = p_data / (p_data + p_g), eq. 2, (n,); 1/2 where neither has mass, since D does not matter there."""
    both = p_data + p_g
    return torch.where(both > 0, p_data / both, 0.5)


def optimal_value(p_data: Tensor, p_g: Tensor) -> Tensor:
    """Return C(G) = max_D V(D, G) = -log 4 + 2 JSD(p_data ‖ p_g) in nats, eq. 6: -log 4 if and only if they agree."""
    return 2 * jensen_shannon(p_data, p_g) - math.log(4)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of masses p and q, each (n,), in nats: 0 where equal, log 2 where disjoint.

    JSD = (KL(p ‖ m) + KL(q ‖ m)) / 2 with m = (p + q) / 2, as between eq. 5 and eq. 6.
    """
    m = (p + q) / 2
    # log p - log m term by term, and not log(p / m): where neither has mass that is 0/0
    terms = torch.xlogy(p, p) - torch.xlogy(p, m) + torch.xlogy(q, q) - torch.xlogy(q, m)
    return terms.sum().clamp_min(0) / 2


def optimality_gap(p_data: Tensor, p_g: Tensor, d: Tensor) -> Tensor:
    """Return the root mean square of D - D* under (p_data + p_g) / 2: 0 for the optimal D, at most 1."""
    m = (p_data + p_g) / 2
    return (m * (d - optimal_discriminator(p_data, p_g)).square()).sum().sqrt()
