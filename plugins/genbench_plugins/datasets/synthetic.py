"""Numbers drawn from known densities, as images of one pixel: what the theory of a model can be held against."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, MinLen

from genbench import DataError, Dataset, Split, Splits

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Size = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]

REACH = 6.0
"""Standard deviations from a component's mean to the bounds: of a Gaussian, 2e-9 of the mass lies beyond."""


@dataclass(frozen=True)
class Component:
    """A Gaussian in a mixture; weights are relative to each other."""

    mean: float
    std: float
    weight: float

    def mass(self, low: float, high: float) -> float:
        """Return the probability of the interval, without the weight."""
        a, b = ((bound - self.mean) / (self.std * math.sqrt(2)) for bound in (low, high))
        return (math.erf(b) - math.erf(a)) / 2


class Gaussians(Dataset):
    """A mixture of Gaussians on the line, cut off six standard deviations outside the outermost means.

    Numbers beyond the bounds are drawn again, and so is a number that was drawn before, as a float32: no two images are
    equal. log_prob is the density of the mixture divided by its mass within the bounds.
    """

    train: int
    valid: int
    test: int

    @property
    @abstractmethod
    def components(self) -> list[Component]:
        """Return what is mixed. Raises DataError where the options do not fit together."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the least and greatest number."""
        parts = self.components
        return min(c.mean - REACH * c.std for c in parts), max(c.mean + REACH * c.std for c in parts)

    def load(self, folder: Path) -> Splits[np.ndarray[Any, Any]]:
        """Return numbers drawn by a fixed seed, (n, 1, 1, 1) float32. `folder` is not used."""
        sizes = (self.train, self.valid, self.test)
        x = self._drawn(sum(sizes))[:, None, None, None]
        ends = (self.train, self.train + self.valid)
        train, valid, test = x[: ends[0]], x[ends[0] : ends[1]], x[ends[1] :]
        return Splits(train=Split(train), valid=Split(valid), test=Split(test), bounds=self.bounds)

    def _drawn(self, n: int) -> np.ndarray[Any, Any]:
        """Return n different numbers within the bounds, (n,) float32."""
        import numpy as np

        # the streams of RandomState are frozen: every numpy gives the same numbers
        random = np.random.RandomState(0)
        found = np.zeros(0, np.float32)
        while len(found) < n:
            new = self._mixed(random, n).astype(np.float32)
            low, high = self.bounds
            found = np.concatenate([found, new[(new >= low) & (new <= high)]])
            _, first = np.unique(found, return_index=True)
            found = found[np.sort(first)]
        return found[:n]

    def _mixed(self, random: np.random.RandomState, n: int) -> np.ndarray[Any, Any]:
        import numpy as np

        parts = self.components
        means, stds, weights = (np.array(column) for column in zip(*map(astuple, parts), strict=True))
        chosen = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], random.random_sample(n), side="right")
        return means[chosen] + stds[chosen] * random.standard_normal(n)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x) in nats, (n,) float64; -inf beyond the bounds."""
        import torch

        low, high = self.bounds
        parts = self.components
        log_mass = math.log(sum(c.weight * c.mass(low, high) for c in parts))
        x = x.flatten().double()
        terms = [
            math.log(c.weight / c.std) - ((x - c.mean) / c.std).square() / 2 - math.log(2 * math.pi) / 2 for c in parts
        ]
        log_p = torch.stack(terms).logsumexp(0) - log_mass  # (n,)
        return log_p.masked_fill((x < low) | (x > high), -math.inf)


@dataclass(eq=False)
class Gaussian1D(Gaussians):
    """Numbers from a Gaussian, as images of one pixel with a known density: 10,000 train, 1,000 valid, 1,000 test.

    Cut off at six standard deviations from the mean: numbers beyond are drawn again, and log_prob is that of what is
    left.
    """

    version: ClassVar[int] = 1

    mean: float = 0.0
    std: Positive = 1.0
    train: Size = 10_000
    valid: Size = 1_000
    test: Size = 1_000

    @property
    def components(self) -> list[Component]:
        """Return the one Gaussian."""
        return [Component(self.mean, self.std, 1.0)]


@dataclass(eq=False)
class Mixture1D(Gaussians):
    """Numbers from a mixture of Gaussians, as images of one pixel with a known density: 10,000 train, 1,000, 1,000.

    Cut off at six standard deviations outside the outermost Gaussians: numbers beyond are drawn again, and log_prob is
    that of what is left. Weights are relative to each other.
    """

    version: ClassVar[int] = 1

    means: Annotated[tuple[float, ...], MinLen(1)] = (-2.0, 2.0)
    stds: Annotated[tuple[Positive, ...], MinLen(1)] = (0.5, 1.0)
    weights: Annotated[tuple[Positive, ...], MinLen(1)] = (0.4, 0.6)
    train: Size = 10_000
    valid: Size = 1_000
    test: Size = 1_000

    @property
    def components(self) -> list[Component]:
        """Return the Gaussians. Raises DataError where means, standard deviations and weights are not as many."""
        counts = (len(self.means), len(self.stds), len(self.weights))
        if len(set(counts)) > 1:
            raise DataError(
                f"mixture1d: {counts[0]} means, {counts[1]} stds and {counts[2]} weights; expected as many of each"
            )
        return [Component(*part) for part in zip(self.means, self.stds, self.weights, strict=True)]
