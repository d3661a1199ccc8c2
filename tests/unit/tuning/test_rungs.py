"""Rungs of successive halving."""

import pytest

from genbench.trial.identity import Budget
from genbench.tuning.rungs import rungs


def shown(count: int, **budget) -> list[tuple[int, str]]:
    return [(rung.count, str(rung.budget)) for rung in rungs(count, Budget(**budget))]


@pytest.mark.parametrize(
    ("count", "budget", "expected"),
    [
        (27, {"steps": 2700}, [(27, "100 steps"), (9, "300 steps"), (3, "900 steps"), (1, "2,700 steps")]),
        (30, {"seconds": 600.0}, [(30, "22 s"), (10, "67 s"), (3, "200 s"), (1, "600 s")]),
        (30, {"steps": 5}, [(30, "2 steps"), (10, "5 steps")]),
        (2, {"steps": 900}, [(2, "900 steps")]),
        (1, {"seconds": 1.0}, [(1, "1 s")]),
    ],
)
def test_each_rung_has_a_third_of_the_configurations_and_three_times_the_budget(count, budget, expected) -> None:
    assert shown(count, **budget) == expected
