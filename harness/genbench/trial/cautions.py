"""What is to be said of the images that are scored, whatever the metric: a scale that was hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from genbench.data.prepare import SplitName
from genbench.numerics.scale import Scale, doubt, doubt_of_data, scale
from genbench.trial.evaluation import Shared


def cautions(shared: Shared, target: SplitName, n: int) -> list[str]:
    """Return a line for each reason why the first n samples, or the data, are hardly what was meant to be scored."""
    return shared.once(f"cautions of {n} samples against {target}", lambda: list(_found(shared, n)))


def _found(shared: Shared, n: int) -> Iterator[str]:
    bounds = shared.data.space.bounds
    data = shared.once("scale of train", lambda: scale([shared.split("train").images], bounds))
    if found := doubt_of_data(data, bounds):
        yield f"training images: {found}"
    if found := doubt(_of_samples(shared, n, bounds), data, bounds):
        yield found


def _of_samples(shared: Shared, n: int, bounds: tuple[float, float]) -> Scale:
    return scale(shared.sampled(n), bounds)
