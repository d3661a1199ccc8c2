"""The configurations of a model that a search is of: its own options first, then draws from what it declares."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genbench.errors import RequestError, printable
from genbench.files import digest
from genbench.registry import loading, spec
from genbench.registry.resolve import Resolved, Resolver
from genbench.registry.search_space import Searched, search_space
from genbench.tuning.draws import draws


@dataclass(frozen=True)
class Configuration:
    """A model with options, as it can be typed. number 0 is the model as it was asked for.

    values are those of the options that are tuned; problem says why the model refuses them, or is "".
    """

    number: int
    label: str
    values: Mapping[str, Any]
    identity: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Candidates:
    """A model as it was asked for, what of it is tuned, and its configurations."""

    model: str
    space: Mapping[str, Searched]
    configurations: Sequence[Configuration]

    @property
    def usable(self) -> list[Configuration]:
        """Return those that the model does not refuse."""
        return [each for each in self.configurations if not each.problem]


def candidates(resolver: Resolver, text: str, count: int, seed: int) -> Candidates:
    """Return so many configurations of a model, or all where its space has fewer; options that were typed stay.

    Raises RequestError where the model declares nothing that is left to tune.
    """
    asked = resolver.resolve("model", text)
    request = spec.parse(text, "model")
    declared = search_space(loading.load(asked.target, asked.source))
    space = {name: searched for name, searched in declared.items() if name not in request.options}
    if not space:
        left = "every option that it declares is given" if declared else "it declares no search space"
        raise RequestError(f"nothing of {printable(text)} is tuned: {left}; expected a model with `search`. {_SEE}")
    found = itertools.chain([_default(asked, space)], _drawn(resolver, request, space, seed))
    return Candidates(asked.label, space, list(itertools.islice(_distinct(found), count)))


_SEE = "See: genbench show MODEL"


def _default(asked: Resolved, space: Mapping[str, Searched]) -> Configuration:
    values = {name: asked.options[name] for name in space}
    return Configuration(0, asked.label, values, digest(asked.identity))


def _drawn(
    resolver: Resolver, request: spec.Request, space: Mapping[str, Searched], seed: int
) -> Iterator[Configuration]:
    for values in draws(space, seed):
        label = spec.format_request(replace(request, options={**request.options, **values}))
        try:
            resolved = resolver.resolve("model", label)
        except RequestError as error:
            yield Configuration(0, label, values, digest([label]), printable(error))
        else:
            yield Configuration(0, resolved.label, values, digest(resolved.identity))


def _distinct(found: Iterator[Configuration]) -> Iterator[Configuration]:
    """Yield each configuration once, numbered."""
    seen: set[str] = set()
    for each in found:
        if each.identity not in seen:
            yield replace(each, number=len(seen))
            seen.add(each.identity)
