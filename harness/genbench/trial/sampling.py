"""Samples drawn in a model's own fixed batches, so that the first n never depend on how many were asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from genbench.api import Model, Space
from genbench.errors import Diverged, printable
from genbench.trial import seeding


def batches_for(n: int, size: int) -> int:
    """Return how many batches of a size hold n samples."""
    return math.ceil(n / size)


@torch.no_grad()
def draw(model: Model, space: Space, seed: int, batches: Iterable[int], device: torch.device) -> Tensor:
    """Return the samples of these batches, each from a stream of its own, (n, C, H, W) float32 on the CPU.

    Raises Diverged for samples that are not finite, ValueError for a wrong shape, type or range.
    """
    return torch.cat([_draw_batch(model, space, seed, batch, device) for batch in batches])


def _draw_batch(model: Model, space: Space, seed: int, batch: int, device: torch.device) -> Tensor:
    with seeding.seeded(seed, "sample", batch):
        x = model.sample(model.sample_batch, seeding.stream(seed, "sample", batch, device=device))
    expected = (model.sample_batch, *space.shape)
    if not isinstance(x, Tensor) or tuple(x.shape) != expected or x.dtype != torch.float32:
        seen = f"{tuple(x.shape)} {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"sample returned {seen}; expected {expected} torch.float32")
    if not x.isfinite().all():
        raise Diverged("samples are not finite")
    low, high = space.bounds
    least, greatest = x.min().item(), x.max().item()
    if least < low or greatest > high:
        raise ValueError(f"samples lie in [{least:g}, {greatest:g}]; expected within [{low:g}, {high:g}]")
    return x.cpu()


def save_shard(path: Path, samples: Tensor) -> None:
    """Write samples to a file."""
    save_file({"samples": samples.contiguous()}, path)


def load_shards(paths: Iterable[Path]) -> Tensor:
    """Return the samples of files in order. Raises ValueError where a file holds none."""
    parts = []
    for path in paths:
        with safe_open(path, "pt") as file:
            if "samples" not in file.keys():  # noqa: SIM118 - safe_open has keys() and no iteration
                raise ValueError(f"{printable(path)} holds no samples")
            parts.append(file.get_tensor("samples"))
    return torch.cat(parts)
