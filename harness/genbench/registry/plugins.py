"""Plugins found and loaded one by one, so that a broken one is listed with its reason and hurts nobody."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import pluggy

from genbench import api, hookspecs
from genbench.errors import PluginError, RequestError, printable, unknown
from genbench.registry.names import NAME

GROUP = "genbench"
BUILTIN_MODULE = "genbench_plugins.builtin"
BUILTIN = "genbench"
READ_AS_MISSING = {"nan", "na", "null", "none"}


@dataclass(frozen=True)
class Kind:
    """A kind of plugin: its name in the singular and plural, the base class, and the hook that registers it."""

    name: str
    base: type
    hook: str

    @property
    def plural(self) -> str:
        """Return the kind's name in the plural, as `genbench list` takes it."""
        return f"{self.name}s"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("model", api.Model, "register_models"),
        Kind("metric", api.Metric, "register_metrics"),
        Kind("dataset", api.Dataset, "register_datasets"),
        Kind("extractor", api.FeatureExtractor, "register_extractors"),
        Kind("engine", api.Engine, "register_engines"),
    )
}


@dataclass(frozen=True)
class Plugin:
    """An installed plugin: its entry point's name, its distribution, and why it cannot be used, if so."""

    name: str
    distribution: str
    version: str
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A name that a plugin registered. target is "module:Class"."""

    kind: str
    name: str
    target: str
    summary: str
    plugin: Plugin

    def load(self) -> type[Any]:
        """Import and return the class. Raises PluginError, naming plugin and distribution, where that fails."""
        module, _, name = self.target.partition(":")
        try:
            with stdout_to_stderr():
                found = getattr(importlib.import_module(module), name)
        except (Exception, SystemExit) as error:
            raise self._error(f"{self.target} cannot be imported: {describe(error)}") from error
        base = KINDS[self.kind].base
        if not (isinstance(found, type) and issubclass(found, base)):
            raise self._error(f"{self.target} is no subclass of genbench.{base.__name__}")
        return found

    def _error(self, reason: str) -> PluginError:
        return PluginError(f"{self.kind} {self.name!r} of {self.plugin.distribution} is broken: {reason}")


@dataclass
class Registry:
    """All names that all plugins registered, and all plugins, the broken ones too."""

    plugins: list[Plugin] = field(default_factory=list)
    _entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)

    def entries(self, kind: str) -> list[Entry]:
        """Return the registered names of a kind, sorted."""
        return [found for (k, _), several in sorted(self._entries.items()) if k == kind for found in several]

    def find(self, kind: str, name: str) -> Entry:
        """Return the entry of a name. Raises RequestError where no plugin or several third parties have it."""
        found = self._entries.get((kind, name), [])
        if not found:
            names = {entry.name for entry in self.entries(kind)}
            raise unknown(kind, name, names, see=f"genbench list {KINDS[kind].plural}")
        if len(found) > 1:
            owners = " and ".join(sorted(entry.plugin.distribution for entry in found))
            raise RequestError(f"{kind} {name!r} is registered by {owners}: uninstall one, or set GENBENCH_PLUGINS")
        return found[0]

    def add(self, plugin: Plugin, entries: list[Entry]) -> None:
        """Take a plugin in. Names that a built-in has are refused; the others of that plugin work."""
        taken = [e for e in entries if any(_is_builtin(o) for o in self._entries.get((e.kind, e.name), []))]
        for entry in entries:
            if entry not in taken:
                self._entries.setdefault((entry.kind, entry.name), []).append(entry)
        if taken:
            names = ", ".join(f"{entry.kind} {entry.name}" for entry in taken)
            plugin = Plugin(plugin.name, plugin.distribution, plugin.version, f"name taken by a built-in: {names}")
        self.plugins.append(plugin)


def _is_builtin(entry: Entry) -> bool:
    return entry.plugin.distribution == BUILTIN


def load_registry() -> Registry:
    """Return the registry of the built-in plugin and of every installed one that GENBENCH_PLUGINS allows.

    GENBENCH_PLUGINS names plugins or distributions, by commas; unset, all are loaded; empty, none but the built-in.
    """
    registry = Registry()
    for plugin, load in _sources():
        try:
            with stdout_to_stderr():
                entries = _collect(plugin, load())
        except (Exception, SystemExit) as error:
            registry.add(Plugin(plugin.name, plugin.distribution, plugin.version, describe(error)), [])
        else:
            registry.add(plugin, entries)
    return registry


def _sources() -> Iterator[tuple[Plugin, Callable[[], object]]]:
    """Yield each plugin with what loads its module, the built-in first, the others in a fixed order."""
    yield Plugin("builtin", BUILTIN, _version(BUILTIN)), lambda: importlib.import_module(BUILTIN_MODULE)
    allowed = os.environ.get("GENBENCH_PLUGINS")
    if allowed is not None and not allowed.strip():
        return
    wanted = None if allowed is None else {name.strip() for name in allowed.split(",")}
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda p: (_distribution(p), p.name)):
        owner = _distribution(point)
        if wanted is None or wanted & {point.name, owner}:
            yield Plugin(printable(point.name), printable(owner), point.dist.version if point.dist else ""), point.load


def _distribution(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "unknown distribution"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _collect(plugin: Plugin, module: object) -> list[Entry]:
    """Return what a plugin's hooks register. A manager of its own keeps a faulty plugin away from the others."""
    manager = pluggy.PluginManager("genbench")
    manager.add_hookspecs(hookspecs)
    manager.register(module, plugin.name)
    manager.check_pending()
    entries: list[Entry] = []
    for kind in KINDS.values():
        getattr(manager.hook, kind.hook)(register=_register(kind, plugin, entries))
    return entries


def _register(kind: Kind, plugin: Plugin, entries: list[Entry]) -> api.Register:
    """Return the callback that a hook is handed; it appends to entries."""

    def register(name: str, target: type | str, *, summary: str) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in READ_AS_MISSING:
            raise ValueError(
                f"{kind.name} name {printable(name)!r}: expected small letters, digits and '-', beginning with a "
                f"letter, at most 40, and none of {', '.join(sorted(READ_AS_MISSING))}"
            )
        path = target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
        if not all(part.replace(".", "_").isidentifier() for part in path.split(":")) or path.count(":") != 1:
            raise ValueError(f'{kind.name} {name}: target {printable(path)!r} is neither a class nor "module:Class"')
        entries.append(Entry(kind.name, name, path, printable(summary), plugin))

    return register


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Keep what a plugin prints while it is imported out of tables and CSV files."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def describe(error: BaseException) -> str:
    """Return an exception as one line: its type and message."""
    message = printable(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
