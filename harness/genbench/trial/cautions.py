"""What is to be said of the images that are scored, whatever the metric: scales hardly meant, copies of the target."""

from __future__ import annotations

from collections.abc import Iterator

from genbench.data.cache import SplitName
from genbench.numerics.copies import SIDE, Copies, copies
from genbench.numerics.scale import doubt, doubt_of_data, scale
from genbench.trial.evaluation import Shared

MOST_WORK = 10**11
"""Values that are compared in search of copies: two seconds on a core.

Where there are more, evenly spaced samples are compared."""


def cautions(shared: Shared, target: SplitName, n: int) -> list[str]:
    """Return a line for each reason why the first n samples, or the data, are hardly what was meant to be scored."""
    return shared.once(f"cautions of {n} samples against {target}", lambda: list(_found(shared, target, n)))


def _found(shared: Shared, target: SplitName, n: int) -> Iterator[str]:
    bounds = shared.data.space.bounds
    data = shared.once("scale of train", lambda: scale([shared.split("train").images], bounds))
    if found := doubt_of_data(data, bounds):
        yield f"training images: {found}"
    if found := doubt(scale(shared.sampled(n), bounds), data, bounds):
        yield found
    if len(shared.split(target).images) > 1 and (among := _copies(shared, target, n)).are_many:
        yield f"{among.in_words(target, 'training')}: no score of new images"


def _copies(shared: Shared, target: SplitName, n: int) -> Copies:
    """Return the copies of target images among the first n samples, or among some of them where all take too long."""
    originals = shared.split(target).images
    channels, height, width = shared.data.space.shape
    each = len(originals) * channels * min(height, SIDE) * min(width, SIDE)
    step = -(-n * each // MOST_WORK)
    return copies(shared.sampled(n, step), originals, shared.split("train").images)
