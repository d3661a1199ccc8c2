"""Random masks: which pixels of an image are known, so that one network learns to complete any part from the rest."""

from __future__ import annotations

import torch
from torch import Tensor


def random_masks(shape: torch.Size, nothing: float, generator: torch.Generator) -> Tensor:
    """Return a mask for each image, (n, C, H, W): 1 where a pixel is known in all its channels, else 0.

    Of a share `nothing` of the images nothing is known; of half of the others a rectangle, or all but a rectangle; of
    the rest single pixels, anything from none to all of them.
    """
    n, _, height, width = shape
    kind = _uniform(n, generator)
    pixels = torch.rand(n, 1, height, width, generator=generator, device=generator.device) < _uniform(n, generator)
    inside = _between(height, n, generator).unsqueeze(3) & _between(width, n, generator).unsqueeze(2)
    rectangle = inside ^ (_uniform(n, generator) < 0.5)
    known = torch.where(kind < (1 + nothing) / 2, rectangle, pixels) & (kind >= nothing)
    return known.float().expand(shape)


def _uniform(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(n, 1, 1, 1, generator=generator, device=generator.device)


def _between(size: int, n: int, generator: torch.Generator) -> Tensor:
    """Return whether each place of a side lies between two random ones, (n, 1, size): often as far as its end."""
    ends = (2 * torch.rand(n, 2, generator=generator, device=generator.device) - 0.5) * size  # from -size/2 to 3/2 size
    places = torch.arange(size, device=generator.device) + 0.5
    inside = (ends.amin(1, keepdim=True) < places) & (places < ends.amax(1, keepdim=True))  # (n, size)
    return inside.unsqueeze(1)
