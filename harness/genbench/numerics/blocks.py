"""How much is computed at a time: on a CPU little, to stay in its cache; on a GPU much, so that launches are few."""

import math

import torch
from torch import Tensor

ON_GPU = 2**23
"""How many values are taken at a time on a GPU: 64 MiB of float64, in each of the few tensors made of them."""


def values_at_once(device: torch.device, on_cpu: int) -> int:
    """Return how many values to compute at a time on a device: `on_cpu` on a CPU, never fewer on another."""
    return on_cpu if device.type == "cpu" else max(on_cpu, ON_GPU)


def rows_at_once(x: Tensor, on_cpu: int = 1024) -> int:
    """Return how many rows of x (n, ...) to take at a time: `on_cpu` on a CPU, never fewer on another device."""
    return on_cpu if x.device.type == "cpu" else max(on_cpu, ON_GPU // max(1, math.prod(x.shape[1:])))
