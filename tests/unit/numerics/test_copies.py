"""Copies among images are found, exact and near; no honest images hold more than nature does."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from image_sets import image_sets
from scipy.spatial.distance import cdist
from scipy.stats import binom
from torch import Tensor
from torch.nn import functional

from genbench.numerics.copies import COPY_RATIO, Copies, copied, copies, shrunk


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def noisy(x: Tensor, deviation: float) -> Tensor:
    return (x + deviation * torch.randn(x.shape, generator=generator())).clamp(0, 1)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_which_original_a_row_copies_is_as_by_scipy() -> None:
    originals = normal(80, 6)
    x = torch.cat([originals[:40] + 0.15 * normal(40, 6, seed=1), normal(40, 6, seed=2)])
    distances = cdist(x.double().numpy(), originals.double().numpy(), "sqeuclidean")
    nearest, second = np.sort(distances, 1)[:, :2].T
    expected = np.where(nearest <= COPY_RATIO * second, distances.argmin(1), -1)
    assert 10 < (expected >= 0).sum() < 60, "some of both"
    assert copied(x, originals, memory_mib=0.01).tolist() == expected.tolist()


def test_a_copy_of_what_occurs_twice_is_one() -> None:
    originals = normal(20, 4)
    assert (copied(originals[:1], torch.cat([originals, originals])) >= 0).all()


def test_parts_are_counted_together_and_originals_once() -> None:
    originals, fresh = normal(50, 1, 3, 3), normal(50, 1, 3, 3, seed=1)
    found = copies([originals[:10], originals[5:15], normal(30, 1, 3, 3, seed=2)], originals, fresh)
    assert found == Copies(20, 15, 50, 0, 0, 50)
    assert found.are_many


def test_fresh_images_are_not_looked_at_without_any_copy() -> None:
    assert copies([normal(5, 1, 3, 3)], normal(50, 1, 3, 3, seed=1), normal(50, 1, 3, 3, seed=2)) == Copies(0, 0, 5)
    assert not Copies(0, 0, 5).are_many


def test_fresh_images_are_taken_at_even_distances() -> None:
    originals = normal(60, 1, 3, 3)
    found = copies([originals[:20]], originals, originals)
    assert (found.fresh, found.fresh_looked_at) == (20, 20)
    assert not found.are_many, "of data whose training images are those scored against, that is how it is"


@pytest.mark.parametrize("originals", [1, 5, 9, 10, 11, 30])
def test_many_is_beyond_chance(originals: int) -> None:
    found = Copies(originals, originals, 1000, 1, 1, 1000)
    assert found.are_many == (originals > 3 and binom.sf(originals - 1, originals + 1, 0.5) < 1e-3)


def test_one_image_drawn_again_and_again_is_one() -> None:
    assert not Copies(1000, 1, 1000, 0, 0, 1000).are_many


def test_large_images_are_averaged_down() -> None:
    x = torch.rand(3, 3, 80, 50, generator=generator())
    expected = x[..., :48].unflatten(3, (16, 3))[:, :, :78].unflatten(2, (26, 3)).mean((3, 5))
    assert shrunk(x).shape == (3, 3, 27, 17)
    assert torch.allclose(shrunk(x)[..., :26, :16], expected, atol=1e-6)
    assert shrunk(x[..., :32, :32]).shape == (3, 3, 32, 32)


# Real images


COPIES: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": lambda x: x,
    "of 6 bits": lambda x: (x * 63).round() / 63,
    "a little darker": lambda x: x * 0.95,
    "a little noise": lambda x: noisy(x, 0.02),
    "more noise": lambda x: noisy(x, 0.05),
}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in COPIES.items()])
@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_copies_are_many_alone_and_hidden(
    name: str, change: Callable[[Tensor], Tensor], request: pytest.FixtureRequest
) -> None:
    train, test, _ = image_sets(name, request)
    half = min(len(test) // 2, 1000)
    target, held_out = test[:half], test[half : 2 * half]
    samples = change(target)
    found = copies([samples], target, train)
    assert found.are_many
    assert found.count > 0.3 * half
    hidden = torch.cat([samples[: half // 5], held_out[half // 5 :]])
    assert copies([hidden], target, train).are_many


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mnist", "cifar10"])
def test_honest_images_hold_no_more_than_nature_does(name: str, request: pytest.FixtureRequest) -> None:
    train, test, labels = image_sets(name, request)
    half = min(len(test) // 2, 2000)
    target, held_out, labels = test[:half], test[half:][:half], labels[half:][:half]
    honest = {
        "fresh": held_out,
        "training images": train[:half],
        "one image": held_out[:1].expand(half, -1, -1, -1),
        "means of two": (train[:half] + train[-half:]) / 2,
        "blurred": functional.avg_pool2d(held_out, 3, 1, 1),
        "of two values": (held_out > 0.5).float(),
        "black": held_out * 0,
        **{f"of class {label}": held_out[labels == label] for label in labels.unique().tolist()},
    }
    assert [words for words, x in honest.items() if copies([x], target, train).are_many] == []


def test_data_of_one_value_hold_copies_by_nature() -> None:
    target, fresh, samples = (normal(1000, 1, 1, 1, seed=seed) for seed in range(3))
    found = copies([samples], target, fresh)
    assert found.count > 100
    assert not found.are_many
