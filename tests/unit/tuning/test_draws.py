"""Draws from a search space: by a seed, each once, from the distributions that were declared."""

from itertools import islice

import numpy as np
import pytest
from scipy import stats

from genbench.api import Range
from genbench.registry import spec
from genbench.registry.search_space import Searched
from genbench.tuning.draws import draws


def space(**over) -> dict[str, Searched]:
    """Return a space; of ranges between whole numbers, one of whole numbers."""
    return {
        name: Searched(name, each, whole=isinstance(each, Range) and isinstance(each.low, int))
        for name, each in over.items()
    }


MIXED = space(lr=Range(1e-4, 1e-2, log=True), share=Range(0.0, 0.5), units=Range(4, 100, log=True), kind=("a", "b"))
CHOICES = space(kind=("a", "b", "c"), sizes=([1], [2, 2]))


def first(n: int, of: dict[str, Searched], seed: int = 0) -> list:
    return list(islice(draws(of, seed), n))


@pytest.mark.parametrize("of", [MIXED, CHOICES])
def test_a_seed_draws_the_same_and_a_longer_list_begins_with_the_shorter(of) -> None:
    assert first(6, of) == first(6, of)
    assert first(6, of)[:3] == first(3, of)
    assert first(6, of, seed=1) != first(6, of)


def test_each_configuration_comes_once_until_there_are_no_more() -> None:
    found = [(values["kind"], tuple(values["sizes"])) for values in draws(CHOICES, 0)]
    assert sorted(found) == [(kind, sizes) for kind in "abc" for sizes in ((1,), (2, 2))]
    few = [values["x"] for values in draws(space(x=Range(0.998, 0.999)), 0)]  # three digits hold two numbers
    assert sorted(few) == [0.998, 0.999]


def test_numbers_are_of_their_distributions() -> None:
    found = first(2000, MIXED)
    lr = [values["lr"] for values in found]
    assert stats.kstest(lr, stats.loguniform(1e-4, 1e-2).cdf).pvalue > 0.01
    assert stats.kstest([values["share"] for values in found], stats.uniform(0, 0.5).cdf).pvalue > 0.01
    assert all(isinstance(values["units"], int) and 4 <= values["units"] <= 100 for values in found)
    halves = [sum(values["units"] < 20 for values in found), sum(values["kind"] == "a" for values in found)]
    expected = stats.loguniform(3.5, 100.5).cdf(19.5), 0.5
    for count, share in zip(halves, expected, strict=True):
        assert stats.binomtest(count, len(found), share).pvalue > 0.01


def test_the_ends_of_a_range_of_whole_numbers_are_drawn_as_often_as_the_others() -> None:
    of = space(x=Range(0.0, 1.0), units=Range(1, 5))
    counts = np.bincount([values["units"] for values in first(2000, of)])[1:]
    assert len(counts) == 5
    assert stats.chisquare(counts).pvalue > 0.01


def test_values_can_be_typed_and_lie_within_the_range() -> None:
    narrow = space(x=Range(0.12345, 0.12349))
    assert all(0.12345 <= values["x"] <= 0.12349 for values in draws(narrow, 0))
    for values in first(50, MIXED):
        typed = spec.parse(spec.format_request(spec.Request("m", options=values))).options
        assert typed == values
