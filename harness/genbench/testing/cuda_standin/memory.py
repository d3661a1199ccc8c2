"""The bytes that tensors on the GPU hold, each storage once, and what happens when there is no more."""

from __future__ import annotations

from weakref import WeakValueDictionary

import torch

TOTAL = 80 * 2**30
"""Bytes of the GPU."""


class Held:
    """A storage's bytes, held by all tensors that keep this object."""

    def __init__(self, size: int) -> None:
        self.size = size
        memory.now += size
        memory.peak = max(memory.peak, memory.now)

    def __del__(self) -> None:
        memory.now -= self.size


class Memory:
    """Bytes held now and at most since the last reset. limit is what a process may hold; None is all there is."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.now = self.peak = 0
        self._held: WeakValueDictionary[int, Held] = WeakValueDictionary()

    def hold(self, storage: torch.UntypedStorage) -> Held:
        """Return what stands for a storage. Raises OutOfMemoryError where it has no room."""
        held = self._held.get(storage._cdata)
        if held is None:
            self._check_room(storage.nbytes())
            held = self._held[storage._cdata] = Held(storage.nbytes())
        return held

    @property
    def free(self) -> int:
        """Return the bytes left."""
        return max(0, (TOTAL if self.limit is None else self.limit) - self.now)

    def _check_room(self, size: int) -> None:
        if size > self.free:
            raise torch.OutOfMemoryError(
                f"CUDA out of memory. Tried to allocate {size / 2**20:.2f} MiB. GPU 0 has a total capacity of "
                f"{TOTAL / 2**30:.2f} GiB of which {self.free / 2**20:.2f} MiB is free."
            )


memory = Memory()
