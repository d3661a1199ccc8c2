"""What the tests of models share: data of any shape, a run, and a check of samples."""

import itertools
from typing import Any

import torch

from genbench.api import Space, Split, TrainingData
from genbench.trial import seeding
from genbench.trial.training import TrainingRun

CPU = torch.device("cpu")
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 5, 7)]


def data_of(shape: tuple[int, int, int], n: int = 60, bounds: tuple[float, float] = (0.0, 1.0)) -> TrainingData:
    """Return random images within bounds, smooth enough to have structure, and labels."""
    low, high = bounds
    g = torch.Generator().manual_seed(1)
    base = torch.rand(3, *shape, generator=g)
    x = (base[torch.arange(n) % 3] * 0.8 + 0.2 * torch.rand(n, *shape, generator=g)) * (high - low) + low
    split = Split(x, torch.arange(n) % 3)
    return TrainingData(split, Split(x[:20], split.labels[:20]), Space(shape, 3, bounds))  # type: ignore[index]


def binary_states(units: int) -> torch.Tensor:
    """Return all states of binary units, in the order of the numbers they spell, (2^units, units)."""
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)))


def fitted(model: Any, data: TrainingData, seed: int = 0) -> Any:
    """Return a model built and fitted as the harness does, deterministic algorithms enforced."""
    torch.use_deterministic_algorithms(True)
    try:
        with seeding.seeded(seed, "init"):
            model.build(data.space, CPU)
        with seeding.seeded(seed, "fit"):
            model.fit(data, TrainingRun(seed, CPU))
    finally:
        torch.use_deterministic_algorithms(False)
    return model


def drawn(model: Any, n: int, seed: int = 0) -> torch.Tensor:
    return model.sample(n, torch.Generator().manual_seed(seed))  # type: ignore[no-any-return]


def check_first_samples(model: Any) -> None:
    """Assert that the first samples of ten chains do not depend on how many are drawn."""
    many = drawn(model, 35)
    for n in (1, 9, 10, 11, 20):
        assert torch.equal(drawn(model, n), many[:n])


def check_samples(model: Any, space: Space) -> None:
    """Assert shape, type, range, no gradient, and that samples depend on the generator alone."""
    for n in (1, 7):
        x = drawn(model, n)
        assert x.shape == (n, *space.shape)
        assert x.dtype == torch.float32
        assert not x.requires_grad
        assert x.isfinite().all()
        assert x.min() >= space.bounds[0]
        assert x.max() <= space.bounds[1]
    torch.manual_seed(5)
    first = drawn(model, 9)
    torch.rand(3)
    assert torch.equal(first, drawn(model, 9))
