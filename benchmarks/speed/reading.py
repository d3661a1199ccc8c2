"""Measure what it costs to make sure of prepared data: python benchmarks/speed/reading.py mnist npz:PATH ...

For each dataset: to look at all arrays when a process first uses them; to read, hash and convert the three splits, as a
trial does; and the same from files mapped into memory that nobody hashes. Processor time, the least of five, in ms.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from genbench.data.cache import Prepared, prepare
from genbench.data.folders import cache_folder
from genbench.data.validation import SPLITS
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver


def milliseconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the least processor time that some work took."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return 1000 * min(taken)


def mapped(data: Prepared) -> None:
    """Convert the images of all splits as they are mapped into memory."""
    for split in SPLITS:
        images = torch.from_numpy(np.load(data.folder / f"{split}-images.npy", mmap_mode="c"))
        images.to(torch.float32).div_(255)


def main(names: list[str]) -> None:
    """Print a line for each dataset."""
    resolver = Resolver(load_registry(), cache_folder())
    for name in names:
        found = resolver.resolve("dataset", name)
        data = prepare(found.instantiate(), found.identity)
        size = sum(path.stat().st_size for path in data.folder.glob("*.npy")) / 1e6
        look = milliseconds(data.verify)
        use = milliseconds(lambda data=data: [data.split(split) for split in SPLITS])  # type: ignore[misc]
        bare = milliseconds(lambda data=data: mapped(data))  # type: ignore[misc]
        print(f"{name}: {size:.0f} MB; first look {look:.0f} ms; three splits {use:.0f} ms, unhashed {bare:.0f} ms")


if __name__ == "__main__":
    main(sys.argv[1:])
