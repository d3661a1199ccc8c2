"""Images that are copies of those of another set, exact or nearly, and whether there are more than by nature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from genbench.numerics.copying import two_nearest

COPY_RATIO = 1 / 9
"""The squared distance of a copy to its original, at most, over that to the next image: a third of the way."""

BY_CHANCE = 1e-3
"""How likely as many copies may be among images that hold no more of them than fresh ones do."""

TIMES = 3
"""How much greater a share of copies than that of fresh images is more than another choice of images."""

SIDE = 32
"""Pixels on a side beyond which images are averaged down before they are compared."""


@dataclass(frozen=True)
class Copies:
    """How many of `looked_at` images are copies, of how many originals; and so of as many fresh images."""

    count: int
    originals: int
    looked_at: int
    fresh: int = 0
    fresh_originals: int = 0
    fresh_looked_at: int = 0

    @property
    def are_many(self) -> bool:
        """Return whether there are more than among fresh images, by far and beyond chance.

        Originals are counted, so that one image that is drawn again and again is one; that fresh images come upon
        originals as often is tested by the binomial distribution of both.
        """
        from scipy.stats import binom

        if self.count * self.fresh_looked_at <= TIMES * self.fresh * self.looked_at:
            return False
        share = self.looked_at / (self.looked_at + self.fresh_looked_at)
        return bool(binom.sf(self.originals - 1, self.originals + self.fresh_originals, share) < BY_CHANCE)

    def in_words(self, of: str, fresh: str) -> str:
        """Return the counts as a sentence, of is what the originals are called, fresh what fresh images are."""
        found = (
            f"{self.count:,} of {self.looked_at:,} samples are copies, exact or near, of {self.originals:,} {of} images"
        )
        return f"{found}; of {self.fresh_looked_at:,} {fresh} images {self.fresh:,} are"


def copies(parts: Iterable[Tensor], originals: Tensor, fresh: Tensor, memory_mib: float = 128) -> Copies:
    """Return the copies of originals (m, C, H, W) among images that come part by part, beside those among fresh images.

    Of fresh images as many are looked at, evenly spaced, and none where there are no copies. A copy is much nearer to
    its original than to any other, which no density of the place decides: pairs that nature has are as rare among fresh
    images of the same kind. Raises ValueError as `two_nearest` does, for fewer than two originals too.
    """
    small = shrunk(originals)
    found = torch.cat([copied(shrunk(part), small, memory_mib) for part in parts])
    count, distinct = _counted(found)
    if not count:
        return Copies(0, 0, len(found))
    others = shrunk(fresh[:: -(-len(fresh) // len(found))])
    usual = _counted(copied(others, small, memory_mib))
    return Copies(count, distinct, len(found), *usual, len(others))


def copied(x: Tensor, originals: Tensor, memory_mib: float = 128) -> Tensor:
    """Return which of the originals (m, ...) each row of x (n, ...) is a copy of, (n,); -1 for none."""
    distances, which = two_nearest(x, originals, memory_mib, ("images", "originals"))
    return torch.where(distances[:, 0] <= COPY_RATIO * distances[:, 1], which[:, 0], -1)


def _counted(found: Tensor) -> tuple[int, int]:
    copied = found[found >= 0]
    return len(copied), len(torch.unique(copied))


def shrunk(images: Tensor) -> Tensor:
    """Return images (n, C, H, W) averaged down to at most 32 pixels on a side, in whole squares."""
    square = -(-max(images.shape[2:]) // SIDE)
    return functional.avg_pool2d(images, square, ceil_mode=True) if square > 1 else images
