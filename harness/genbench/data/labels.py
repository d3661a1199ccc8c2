"""What labels say of a dataset: whether there are several, whether parts lack a class, whether they run in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbench.data.splitting import permutation

LISTED = 5
"""How many classes a note names."""

Arrays = dict[str, NDArray[Any]]


def heeded(arrays: Arrays, classes: int | None) -> tuple[Arrays, int | None, list[str]]:
    """Return a dataset's arrays and number of classes with its labels taken for what they are, and what was noted.

    Labels of one class are none. Training and validation images that run in the order of their classes are put into a
    random one: what takes some of them takes the first.
    """
    if classes is None:
        return arrays, None, []
    found = {split: set(np.unique(arrays[f"{split}-labels"]).tolist()) for split in ("train", "valid", "test")}
    if len(set().union(*found.values())) < 2:
        without = {name: array for name, array in arrays.items() if not name.endswith("labels")}
        return without, None, ["all images are of one class, which tells nothing: they count as without labels"]
    notes = [_absent(sorted(found[split] - found["train"]), split) for split in ("valid", "test")]
    return _mixed(arrays), classes, [note for note in notes if note]


def _absent(classes: list[int], split: str) -> str:
    """Return a line on classes that training lacks, or ""."""
    named = ", ".join(map(str, classes[:LISTED])) + (" ..." if len(classes) > LISTED else "")
    which = f"class {named}" if len(classes) == 1 else f"classes {named}"
    return f"train has no image of {which} (counted from 0), and {split} has some" if classes else ""


def _mixed(arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the arrays, those for training and validation in random order where they run in the order of classes."""
    mixed = dict(arrays)
    for split in ("train", "valid"):
        labels = arrays[f"{split}-labels"]
        if is_in_class_order(labels):
            order = permutation(len(labels))
            mixed |= {name: arrays[name][order] for name in (f"{split}-images", f"{split}-labels")}
    return mixed


def is_in_class_order(labels: NDArray[Any]) -> bool:
    """Return whether labels (n,) change less than half as often as in random order."""
    changes = int((labels[1:] != labels[:-1]).sum())
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return changes < (len(labels) - 1) * (1 - float((shares**2).sum())) / 2
