"""What is being checked: a registered name with its options, "module:Class", a class in a file, or a class itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from genbench.data.folders import cache_folder
from genbench.errors import RequestError, printable
from genbench.registry import loading, options, spec
from genbench.registry.plugins import BUILTIN, KINDS, Entry, Kind, Registry, describe, kind_of, load_registry
from genbench.registry.resolve import Resolver

MODULE_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*")

Target = str | type


@dataclass(frozen=True)
class Subject:
    """A plugin's class with the options it is checked with. entry is what registered it, or None for a bare class."""

    label: str
    kind: Kind
    cls: type[Any]
    given: Mapping[str, Any]
    entry: Entry | None = None

    @cached_property
    def options(self) -> dict[str, Any]:
        """Return all options as JSON values. Raises RequestError or PluginError where they are none."""
        return options.complete(self.cls, self.label, self.given)

    def make(self, **changed: Any) -> Any:
        """Return the plugin, made as the harness makes it, with some options changed."""
        return options.construct(self.cls, {**self.options, **changed})

    @property
    def target(self) -> str:
        """Return where the class is imported from."""
        return self.entry.target if self.entry else loading.of_class(self.cls)

    @property
    def is_importable(self) -> bool:
        """Return whether another process can import the class: none that is made inside a function or by a test."""
        if self.entry is not None:
            return True
        return "<locals>" not in self.cls.__qualname__ and _is_found(self.cls.__module__)

    @property
    def is_builtin(self) -> bool:
        """Return whether the class comes with genbench: it is then held to deterministic algorithms."""
        return self.entry is not None and self.entry.plugin.distribution == BUILTIN

    @property
    def file(self) -> Path | None:
        """Return the file that the class is written in."""
        return loading.locate(self.target)


def label_of(target: object) -> str:
    """Return what a target is called, whatever it is."""
    return target if isinstance(target, str) else str(getattr(target, "__name__", repr(target)))


def find(target: Target, kind: str | None = None) -> Subject:
    """Return the subject of a target. Raises GenbenchError where it is none, or where its name has several kinds."""
    if isinstance(target, type):
        return _of_class(target, target.__name__)
    if not isinstance(target, str):
        raise RequestError(f"{printable(repr(target), 60)} is no plugin; expected a name, a path or a class")
    registry = load_registry()
    if MODULE_CLASS.fullmatch(target) and not registry.named(target.partition(":")[0]):
        return _of_class(_imported(target), target)
    return _registered(registry, target, kind)


def _registered(registry: Registry, text: str, kind: str | None) -> Subject:
    name = spec.parse(text).name
    kinds = [kind] if kind else list({entry.kind: entry for entry in registry.named(name)})
    if len(kinds) > 1:
        raise RequestError(f"{printable(name)!r} is a {' and a '.join(kinds)}; say which by --kind")
    chosen = kinds[0] if kinds else _likeliest(registry, name)
    entry = registry.find(chosen, name)
    resolved = Resolver(registry, cache_folder()).resolve(chosen, text)
    return Subject(resolved.label, KINDS[chosen], entry.load(), resolved.values, entry)


def _likeliest(registry: Registry, name: str) -> str:
    """Return the kind to complain in about a name that none has: the one with the nearest name."""
    import difflib

    for kind in KINDS:
        if difflib.get_close_matches(name, [entry.name for entry in registry.entries(kind)], n=1):
            return kind
    return "model"


def _of_class(cls: type[Any], label: str) -> Subject:
    kind = kind_of(cls)
    if kind is None:
        bases = ", ".join(f"genbench.{kind.base.__name__}" for kind in KINDS.values())
        raise RequestError(f"{printable(label)} is no plugin; expected a subclass of one of {bases}")
    return Subject(label, kind, cls, {})


def _imported(target: str) -> type[Any]:
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (Exception, SystemExit) as error:
        raise RequestError(
            f"{target} cannot be imported: {describe(error)}; expected a registered name, module:Class or FILE.py:Class"
        ) from error
    if not isinstance(found, type):
        raise RequestError(f"{target} is {printable(type(found).__name__)}; expected a class")
    return found


def _is_found(module: str) -> bool:
    """Return whether a module is found by its name, as one is not that pytest imports by its file."""
    paths: Sequence[str] | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), paths)
        if spec is None:
            return False
        paths = spec.submodule_search_locations
    return True
