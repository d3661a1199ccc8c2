"""Samples drawn in a model's own fixed batches, so that the first n never depend on how many were asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import safe_open
from torch import Tensor

from genbench.api import Model, Space
from genbench.errors import Diverged, Interrupted
from genbench.store import layout
from genbench.store.sealed import SealedFolder
from genbench.trial import packing, seeding
from genbench.trial.tensor_files import save_tensors


def batches_for(n: int, size: int) -> int:
    """Return how many batches of a size hold n samples."""
    return math.ceil(n / size)


@runtime_checkable
class Given(Protocol):
    """What has samples that were made elsewhere: they are read, in a fixed order, and at last there are no more."""

    @property
    def count(self) -> int:
        """How many there are."""

    def given(self, start: int, stop: int) -> Tensor:
        """Return samples start..stop-1, or to the last one. Raises Unsupported where there are none."""


class Drawing:
    """Draws a fitted model's batches of samples, each from a stream of its own."""

    def __init__(self, model: Model, space: Space, seed: int, device: torch.device) -> None:
        self._model = model
        self._space = space
        self._seed = seed
        self._device = device

    def draw(
        self, batches: range, kept: SealedFolder, every: float = 10.0, stop: Callable[[], bool] = lambda: False
    ) -> Tensor:
        """Return the samples of these batches, (n, C, H, W) float32 on the CPU.

        What is drawn is kept aside where it took more than `every` seconds, and not drawn again after an interruption.
        Raises Diverged for samples that are not finite, ValueError for a wrong shape, type or range, Interrupted when
        asked to stop.
        """
        series = f"samples{batches.start:05d}"
        path = kept.newest(series)
        parts = list(torch.split(load_shards([path]), self._model.sample_batch)) if path else []
        kept_at = time.perf_counter()
        for batch in batches[len(parts) :]:
            parts.append(self.draw_batch(batch))
            stopping = stop()
            if stopping or time.perf_counter() - kept_at > every:
                kept.put(series, len(parts), lambda path: save_shard(path, torch.cat(parts)))
                kept_at = time.perf_counter()
            if stopping:
                raise Interrupted("stopped between two batches of samples")
        return torch.cat(parts)

    @torch.no_grad()
    def draw_batch(self, batch: int) -> Tensor:
        """Return one batch, (n, C, H, W) on the CPU. Raises Diverged or ValueError for what are no samples."""
        size = self._model.sample_batch
        if isinstance(self._model, Given):
            x = self._model.given(batch * size, (batch + 1) * size)
            size = len(x)  # the last batch may be smaller
        else:
            with seeding.seeded(self._seed, "sample", batch):
                x = self._model.sample(size, seeding.stream(self._seed, "sample", batch, device=self._device))
        check(x, (size, *self._space.shape), self._space.bounds)
        return x.cpu()


def check(x: object, expected: tuple[int, ...], bounds: tuple[float, float]) -> None:
    """Raise Diverged for samples that are not finite, ValueError for a wrong shape, type or range."""
    if not isinstance(x, Tensor) or tuple(x.shape) != expected or x.dtype != torch.float32:
        seen = f"{tuple(x.shape)} {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"sample returned {seen}; expected {expected} torch.float32")
    if not x.isfinite().all():
        raise Diverged("samples are not finite")
    low, high = bounds
    least, greatest = x.min().item(), x.max().item()
    if least < low or greatest > high:
        raise ValueError(f"samples lie in [{least:.9g}, {greatest:.9g}]; expected within [{low:g}, {high:g}]")


SHARD = layout.SHARD
"""What files of samples end in; the log of chains lies beside them."""


def save_shard(path: Path, samples: Tensor) -> None:
    """Write samples to a file, in no more room than their bits need."""
    save_tensors(packing.packed(samples), path)


def _rows(slices: Mapping[str, Any], first: int, last: int) -> dict[str, Tensor]:
    """Return the arrays of a file: of what has a row for each sample some rows, and all of the rest."""
    return {
        name: rows[:] if name in (packing.VALUES, packing.SHAPE) else rows[first:last] for name, rows in slices.items()
    }


def load_shards(paths: Iterable[Path], start: int = 0, stop: int | None = None) -> Tensor:
    """Return the samples of files in order, or those from start to stop-1, of which no others are read.

    Raises ValueError where a file holds none.
    """
    parts: list[Tensor] = []
    before = 0
    for path in paths:
        with safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - it has no iteration
            count = packing.check({name: rows.get_shape() for name, rows in slices.items()}, path)
            first, last = max(start - before, 0), count if stop is None else min(stop - before, count)
            if first < last or not parts:
                parts.append(packing.unpacked(_rows(slices, first, max(first, last)), path))
            before += count
    return torch.cat(parts)
