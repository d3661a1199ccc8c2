"""Independent streams from one seed, and global generators that leak nothing."""

import random

import numpy as np
import pytest
import torch

from genbench.trial.seeding import derive, global_state, seeded, set_global_state, stream


def test_streams_are_pinned() -> None:
    """A change here would change every result: it must come with a new identity."""
    assert derive(0, "init") == 1519069808562059438
    assert derive(0, "order", 1, 2) != derive(0, "order", 12)


def test_streams_are_distinct_and_reproducible() -> None:
    keys = [(seed, name) for seed in range(20) for name in ("init", "order", "noise", "sample", "evaluate")]
    drawn = {key: tuple(torch.rand(4, generator=stream(*key)).tolist()) for key in keys}
    assert len(set(drawn.values())) == len(keys)
    assert tuple(torch.rand(4, generator=stream(3, "noise")).tolist()) == drawn[3, "noise"]


def global_draws() -> tuple[float, float, float]:
    return torch.rand(1).item(), random.random(), np.random.rand()


def test_seeded_fixes_all_three_global_generators_and_puts_them_back() -> None:
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    expected = global_draws()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    with seeded(7, "fit"):
        first = global_draws()
    with seeded(7, "fit"):
        assert global_draws() == first
    with pytest.raises(ValueError, match="inside"), seeded(8, "fit"):
        assert global_draws() != first
        raise ValueError("inside")
    assert global_draws() == expected


def test_the_global_generators_go_on_where_they_were() -> None:
    def draw() -> list[float]:
        return [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(1).item()]

    with seeded(1, "fit"):
        draw()
        kept = global_state()
        expected = draw()
        draw()
        set_global_state(kept)
        assert draw() == expected
