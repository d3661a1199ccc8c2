"""Successive halving: many configurations with a small budget, the best third of them with three times as much."""

from __future__ import annotations

from dataclasses import dataclass

from genbench.trial.identity import Budget

ETA = 3
"""How many times as much the next rung gives to each, and what part of them goes on to it."""


@dataclass(frozen=True)
class Rung:
    """So many configurations of each model, trained with this budget."""

    count: int
    budget: Budget


def rungs(count: int, budget: Budget) -> list[Rung]:
    """Return the rungs for so many configurations, the last with the whole budget (Jamieson & Talwalkar 2016).

    There are as many as leave one configuration at least on the last and one step, or second, on the first.
    """
    whole = budget.steps if budget.steps is not None else int(budget.seconds or 0)
    last = 0
    while count // ETA ** (last + 1) >= 1 and whole // ETA ** (last + 1) >= 1:
        last += 1
    return [Rung(count // ETA**rung, _part(budget, whole, ETA ** (last - rung))) for rung in range(last + 1)]


def _part(budget: Budget, whole: int, by: int) -> Budget:
    part = round(whole / by)
    return Budget(steps=part) if budget.steps is not None else Budget(seconds=float(part))
