"""What is taken where nothing was typed: the one place where the harness has names of built-in plugins."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genbench.api import Space

METRIC = "parzen"
DATASET = "digits"
REFERENCES = ("train-data", "gaussian", "kmeans", "pca")
"""Reference rows of every run, unless others are asked for: they say how to read a number."""

ENGINE = "process"
"""Workers, for one trial too: nothing that the caller's process has switched reaches it, nothing that it switches
reaches the caller, and Ctrl-C ends it at once."""

NATURAL = 32
"""Pixels to a side from which colour images are taken to be natural ones."""


def extractor(space: "Space", own_classes: bool = False) -> str:
    """Return the name of the extractor for images of a space: inception for natural ones, one of their own domain,
    or a random one where there are no labels to learn a domain from. A metric of own_classes has no use for inception.
    """
    channels, height, width = space.shape
    if not own_classes and channels == 3 and min(height, width) >= NATURAL and space.bounds == (0.0, 1.0):
        return "inception"
    return "random" if space.classes is None else "domain"
