"""What is given in Python made the plain values that runs are planned with: refused in words, or taken."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from genbench import api, defaults
from genbench.data import in_memory
from genbench.errors import RequestError, printable
from genbench.registry import objects
from genbench.registry.plugins import load_registry
from genbench.store.layout import KEEPS

Path: TypeAlias = str | os.PathLike[str]
Models: TypeAlias = str | type[api.Model] | api.Model | Sequence[str | type[api.Model] | api.Model]
Metrics: TypeAlias = str | type[api.Metric] | api.Metric | Sequence[str | type[api.Metric] | api.Metric]
Datasets: TypeAlias = str | type[api.Dataset] | api.Dataset | Sequence[str | type[api.Dataset] | api.Dataset]
Images: TypeAlias = Path | in_memory.Array | Sequence[Path | in_memory.Array]
"""Paths, patterns of paths, arrays of numpy or tensors of torch: one for each seed."""

Take: TypeAlias = Callable[[str, Any], Any]


def taken(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call as a plan takes them. Raises RequestError for a value that can be none."""
    takes = {**TAKE, **TAKE_FOR_IMAGES} if "sources" in given else TAKE
    return {name: takes[name](name, value) for name, value in given.items()}


def _refuse(name: str, value: object, expected: str) -> NoReturn:
    raise RequestError(f"{name} is {printable(repr(value), 60)}; expected {expected}")


def _or_none(take: Take) -> Take:
    return lambda name, value: None if value is None else take(name, value)


# Texts, numbers and paths --------------------------------------------------------------------------------------------


def _text(example: str) -> Take:
    def take(name: str, value: Any) -> str:
        return value if isinstance(value, str) else _refuse(name, value, f"a text, as in {example!r}")

    return take


def _texts(name: str, value: Any) -> str | list[str]:
    if isinstance(value, str):
        return value
    several = list(value) if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping) else [None]
    found = [each for each in several if isinstance(each, str)]
    return found if len(found) == len(several) else _refuse(name, value, "a text or a list of texts")


def path(name: str, value: Any) -> str:
    """Return a path as text. Raises RequestError for what is none."""
    found = os.fspath(value) if isinstance(value, str | os.PathLike) else b""
    return found if isinstance(found, str) and found.strip() else _refuse(name, value, "a path")


def _whole(most: int | None = None) -> Take:
    expected = f"a whole number from 1{f' to {most:,}' if most else ''}"

    def take(name: str, value: Any) -> int:
        found = _index(value)
        return found if found and found >= 1 and found <= (most or found) else _refuse(name, value, expected)

    return take


def _count(name: str, value: Any) -> int | str:
    """Return how many samples are asked for, of images that there are already."""
    return "all" if isinstance(value, str) and value == "all" else _whole()(name, value)


def _index(value: Any) -> int | None:
    """Return a whole number of Python's, numpy's or torch's as an int, or None where it is none."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array of several
        return None


def _seeds(name: str, value: Any) -> int | list[int]:
    count = _index(value)
    if count is not None:
        return count
    several = [] if isinstance(value, str | bytes | Mapping) or not _iterates(value) else list(value)
    found = [seed for seed in map(_index, several) if seed is not None]
    if not found or len(found) < len(several):
        _refuse(name, value, "whole numbers from 0, as in [0, 1, 2], or how many, as in 5")
    return found


def _iterates(value: Any) -> bool:
    """Return whether something has several values; an array of none but one says that it has, and has not."""
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _seconds(name: str, value: Any) -> float:
    try:
        found = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    return _refuse(name, value, "a number of seconds, as in 60") if math.isnan(found) else found


def _flag(name: str, value: Any) -> bool:
    is_flag = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")  # numpy's
    return bool(value) if is_flag else _refuse(name, value, "True or False")


def _device(name: str, value: Any) -> str:
    is_torch = type(value).__module__.partition(".")[0] == "torch" and type(value).__name__ == "device"
    return (
        str(value) if isinstance(value, str) or is_torch else _refuse(name, value, "'auto', 'cpu', 'cuda' or 'cuda:N'")
    )


def _one_of(*words: str) -> Take:
    expected = " or ".join(filter(None, [", ".join(map(repr, words[:-1])), repr(words[-1])]))

    def take(name: str, value: Any) -> str:
        return value if isinstance(value, str) and value in words else _refuse(name, value, expected)

    return take


# Plugins and their options -------------------------------------------------------------------------------------------


def _plugins(kind: str) -> Take:
    """Return what takes names, classes and instances of a kind of plugins, one or several."""

    def take(name: str, value: Any) -> str | list[str]:
        if isinstance(value, str):
            return value
        several = [value] if isinstance(value, type | api.Plugin) or not _iterates(value) else list(value)
        if isinstance(value, bytes | Mapping) or not all(isinstance(e, str | type | api.Plugin) for e in several):
            _refuse(name, value, f"names, classes or instances of {kind}s, one or a list of them")
        if all(isinstance(each, str) for each in several):
            return several
        registry = load_registry()
        return [each if isinstance(each, str) else objects.text_of(kind, each, registry) for each in several]

    return take


def _options(name: str, value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping) or not all(
        isinstance(v, Mapping) and isinstance(k, str) for k, v in value.items()
    ):
        _refuse(name, value, "options by the name of a plugin, as in {'gan': {'lr': 0.05}}")
    return {plugin: {option: objects.plain(each) for option, each in given.items()} for plugin, given in value.items()}


# Images --------------------------------------------------------------------------------------------------------------


def _sources(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        shown = f"of type {type(value).__name__}"
        raise RequestError(f"{name} is {shown}; expected images by a name of yours, as in {{'ours': images}}")
    return {source: _images(f"{name}[{source!r}]", given) for source, given in value.items()}


def _images(name: str, value: Any) -> Any:
    """Return what images are given by as paths: arrays are kept as files."""
    if isinstance(value, str | os.PathLike):
        return path(name, value)
    if isinstance(value, in_memory.Array):
        return in_memory.stored(value, name)
    if isinstance(value, list | tuple) and value:
        return [_images(name, each) for each in value]
    return _refuse(name, value, "a path, an array or tensor of images, or a list of these: one for each seed")


def _said(name: str, value: Any) -> Any:
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in (*value, *value.values())):
        return dict(value)
    return value if isinstance(value, str) else _refuse(name, value, "words, as 'draws', or words by name")


TAKE: Mapping[str, Take] = {
    "models": _or_none(_plugins("model")),
    "reference": _or_none(_plugins("model")),
    "metrics": _or_none(_plugins("metric")),
    "datasets": _or_none(_plugins("dataset")),
    "sources": _sources,
    "samples_are": _or_none(_said),
    "against": _or_none(_texts),
    "options": _or_none(_options),
    "suite": _or_none(path),
    "seeds": _or_none(_seeds),
    "samples": _or_none(_whole()),
    "size": _or_none(_whole()),
    "weights": _or_none(path),
    "budget": _or_none(_text("5000steps")),
    "select": _or_none(_text("best-valid")),
    "target": _one_of("test", "valid"),
    "results": path,
    "device": _device,
    "threads": _whole(1024),
    "engine": _or_none(_text(defaults.ENGINE)),
    "jobs": _or_none(_whole(1024)),
    "jobs_per_gpu": _or_none(_whole(64)),
    "timeout": _or_none(_seconds),
    "checkpoint_every": _seconds,
    "fresh": _flag,
    "fresh_scores": _flag,
    "keep": _one_of(*KEEPS),
    "tensorboard": _flag,
    "detach": _flag,
}
"""What takes each argument of `genbench.run` and `genbench.evaluate`."""

TAKE_FOR_IMAGES: Mapping[str, Take] = {"samples": _or_none(_count)}
"""What `genbench.evaluate` takes more of."""
