"""Independent random streams from one seed, and global generators that leak nothing."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch


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
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(value)
        random.seed(value)
        np.random.seed(value % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)


def global_state() -> dict[str, Any]:
    """Return the state of the global generators of torch, numpy and `random`, as tensors, arrays and numbers."""
    version, words, gauss = random.getstate()
    kind, key, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [],  # type: ignore[no-untyped-call]
        "python": (version, np.array(words, dtype=np.int64), gauss),
        "numpy": (kind, np.asarray(key, dtype=np.int64), *rest),
    }


def set_global_state(state: Mapping[str, Any]) -> None:
    """Put the global generators where `global_state` found them."""
    version, words, gauss = state["python"]
    kind, key, *rest = state["numpy"]
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"]:
        torch.cuda.set_rng_state(state["cuda"][0].cpu())
    random.setstate((version, tuple(words.tolist()), gauss))
    np.random.set_state((kind, key.astype(np.uint32), *rest))
