"""Independent random streams from one seed, and global generators that leak nothing."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator

import numpy as np
import torch

STREAMS = ("init", "order", "noise", "draw", "sample", "evaluate")


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for the stream of these names: SHA-256, so that streams are independent."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of the stream of these names, on a device."""
    return torch.Generator(device=device).manual_seed(derive(seed, *names))


@contextlib.contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """Seed the global generators of torch, numpy and `random` from a stream, and put them back as they were.

    A plugin that uses them is thereby deterministic and leaks nothing. Never held across a yield of training.
    """
    python, numpy_state = random.getstate(), np.random.get_state()
    value = derive(seed, *names)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(value)
        random.seed(value)
        np.random.seed(value % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)
