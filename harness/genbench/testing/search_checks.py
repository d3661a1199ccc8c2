"""What a model's search space must hold: options as they are declared, and values that the model can be made with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genbench.api import Range
from genbench.errors import GenbenchError
from genbench.registry.plugins import describe
from genbench.registry.search_space import Searched, search_space
from genbench.testing.fixtures import Fixtures
from genbench.testing.outcomes import fail

CHANGE = "genbench tune draws from it: see the guide's section on search."


def check_search_space(fixtures: Fixtures) -> None:
    """What it is tuned over are options of its own, within what they take; where it is not tuned, nothing."""
    subject = fixtures.subject
    try:
        space = search_space(subject.cls)
    except GenbenchError as error:
        fail(str(error), "a search space within the options' own bounds", CHANGE)
    for name, value in _values(*space.values()):
        try:
            subject.make(**{name: value})
        except Exception as error:
            fail(f"search of {name}: with {value!r} it raised {describe(error)}", "a model that can be made", CHANGE)


def _values(*searched: Searched) -> Iterator[tuple[str, Any]]:
    """Yield the ends of each range and each value that is chosen among, by option."""
    for each in searched:
        for value in (each.over.low, each.over.high) if isinstance(each.over, Range) else each.over:
            yield each.name, value


CHECKS = (check_search_space,)
