"""What a model's options are tuned over, as it declares it: checked against the options before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genbench.api import Range
from genbench.errors import GenbenchError, PluginError, did_you_mean, printable
from genbench.registry import loading, options
from genbench.registry.spec import format_value

BETWEEN = 0.381966
"""The part of a range at which no two ends that are whole numbers have another one, but for huge ranges."""


@dataclass(frozen=True)
class Searched:
    """An option that is tuned: over a range, of whole numbers or not, or over values to choose among."""

    name: str
    over: Range | tuple[Any, ...]
    whole: bool = False

    @property
    def in_words(self) -> str:
        """Return what it is tuned over, in words: "0.0001 to 0.01, log scale", "adam or momentum"."""
        if not isinstance(self.over, Range):
            return " or ".join(_shown(value) for value in self.over)
        whole, log = ", whole numbers" if self.whole else "", ", log scale" if self.over.log else ""
        return f"{self.over.low:g} to {self.over.high:g}{whole}{log}"


def search_space(cls: type) -> dict[str, Searched]:
    """Return a model's search space by option; {} where it declares none.

    Raises PluginError for what is no option that results depend on, or not within what the option takes.
    """
    found: Any = getattr(cls, "search", {})
    where = loading.of_class(cls)
    if not isinstance(found, Mapping):
        raise PluginError(f"{where}: search is {_short(found)}; expected ranges or lists of values by option")
    known = options.declared(cls) if found else {}
    return {name: _searched(cls, where, known, name, over) for name, over in found.items()}


def _searched(cls: type, where: str, known: Mapping[str, options.Option], name: str, over: Any) -> Searched:
    option = known.get(name)
    if option is None:
        raise PluginError(
            f"{where}: search names {printable(name, 60)}, which is no option.{did_you_mean(str(name), known)}"
        )
    if not option.identity or option.is_file:
        raise PluginError(f"{where}: search names {name}, {_fixed(option)}; expected an option that results depend on")
    if isinstance(over, Range):
        return Searched(name, over, whole=_is_whole(cls, where, name, over))
    if not isinstance(over, Sequence) or isinstance(over, str) or len(over) < 2:
        raise PluginError(f"{where}: search of {name} is {_short(over)}; expected genbench.Range(low, high) or values")
    values = tuple(_plain(value) for value in over)
    for value in values:
        if problem := _refused(cls, name, value):
            raise PluginError(f"{where}: search of {name}: {problem}")
    if any(value in values[:place] for place, value in enumerate(values)):
        raise PluginError(f"{where}: search of {name} is {_short(over)}; expected each value once")
    return Searched(name, values)


def _fixed(option: options.Option) -> str:
    return "a file" if option.is_file else "a setting, which changes no result"


def _is_whole(cls: type, where: str, name: str, over: Range) -> bool:
    """Return whether only whole numbers of a range can be taken. Raises PluginError where its ends cannot."""
    problem = next(_problems(cls, name, over), "")
    if problem:
        raise PluginError(f"{where}: search of {name}: {problem}")
    return bool(_refused(cls, name, over.low + BETWEEN * (over.high - over.low)))


def _problems(cls: type, name: str, over: Range) -> Iterator[str]:
    """Yield what is wrong with a range, the first thing first."""
    ends = (over.low, over.high)
    if not all(isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in ends):
        yield f"{_short(over)} has ends that are no finite numbers"
    if not over.low < over.high:
        yield f"{_short(over)}; expected low < high"
    if over.log and over.low <= 0:
        yield f"{_short(over)} is on a log scale; expected low > 0"
    yield from filter(None, (_refused(cls, name, end) for end in ends))


def _refused(cls: type, name: str, value: Any) -> str:
    """Return why an option does not take a value, or ""."""
    try:
        options.complete(cls, cls.__name__, {name: value})
    except GenbenchError as error:
        return str(error)
    return ""


def _plain(value: Any) -> Any:
    """Return a value as options have it: a list for a tuple."""
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _shown(value: Any) -> str:
    try:
        return format_value(value)
    except TypeError:
        return _short(value)


def _short(value: object) -> str:
    return printable(repr(value), 60)
