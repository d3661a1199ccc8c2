"""The entry points of plugins among the installed distributions; one that is damaged hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from genbench.errors import PluginError, printable

GROUP = "genbench"


@dataclass(frozen=True)
class Point:
    """An entry point: its name, its distribution with version, and what imports the object that it names."""

    name: str
    distribution: str
    version: str
    load: Callable[[], object]


def points() -> list[Point]:
    """Return the entry points in a fixed order. Loading those of a damaged distribution raises PluginError."""
    try:
        found = [_point(point, point.dist) for point in metadata.entry_points(group=GROUP)]
    except Exception:  # a malformed file of any distribution, whoever's it is
        found = list(_one_by_one())
    return sorted(found, key=lambda point: (point.distribution, point.name))


def _one_by_one() -> Iterator[Point]:
    """Yield the entry points of one distribution after another; of several with one name the first counts."""
    seen: set[str] = set()
    for distribution in metadata.distributions():
        name = _text(distribution, "name")
        if name and name in seen:
            continue
        seen.add(name)
        try:
            yield from [_point(point, distribution) for point in distribution.entry_points.select(group=GROUP)]
        except Exception as error:
            yield Point("?", name or "unknown distribution", "", _raiser(error))


def _raiser(error: Exception) -> Callable[[], object]:
    reason = f"its entry_points.txt cannot be read: {type(error).__name__}: {printable(error)}"

    def load() -> object:
        raise PluginError(reason)

    return load


def _point(point: metadata.EntryPoint, distribution: metadata.Distribution | None) -> Point:
    if distribution is None:
        return Point(printable(point.name), "unknown distribution", "", point.load)
    name, version = _text(distribution, "name"), _text(distribution, "version")
    return Point(printable(point.name), name or "unknown distribution", version, point.load)


def _text(distribution: metadata.Distribution, field: str) -> str:
    """Return a distribution's name or version, or "" where it has none, or no metadata at all."""
    try:
        return printable(getattr(distribution, field) or "")
    except Exception:
        return ""
