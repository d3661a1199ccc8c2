"""Plugins found and loaded one by one, so that a broken one is listed with its reason and hurts nobody."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from genbench import api, hookspecs
from genbench.errors import ChangedError, GenbenchError, PluginError, RequestError, printable, unknown
from genbench.registry import entry_points, loading, spec

BUILTIN_MODULE = "genbench_plugins.builtin"
BUILTIN = "genbench"
FILE = "file"
"""What stands for the distribution of a class in a single file, which has none."""

SHOWN = 2
"""How many broken plugins an error about an unregistered name lists, with their reasons."""

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

    def has(self, found: object) -> bool:
        """Return whether something is a class of this kind."""
        return isinstance(found, type) and issubclass(found, self.base)

    def mismatch(self, found: object) -> str:
        """Return what is wrong with what was to be a class of this kind, for a line that begins with its name."""
        other = kind_of(found)
        if other is None:
            return f"is no subclass of genbench.{self.base.__name__}"
        return f"is a subclass of genbench.{other.base.__name__}, not of genbench.{self.base.__name__}"


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


def kind_of(cls: object) -> Kind | None:
    """Return the kind that a class is of, or None for whatever is no plugin."""
    return next((kind for kind in KINDS.values() if kind.has(cls)), None)


@dataclass(frozen=True)
class Plugin:
    """An installed plugin: its entry point's name, its distribution, and why it cannot be used, if so.

    A class in a single file is a plugin of its own, of the distribution "file", in the version of its content.
    """

    name: str
    distribution: str
    version: str
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A name that a plugin registered. target is "module:Class".

    A class in a single file is named as typed, ./mine.py:MyModel; digest is the SHA-256 of the file's content.
    """

    kind: str
    name: str
    target: str
    summary: str
    plugin: Plugin
    digest: str = ""

    def load(self) -> type[Any]:
        """Import and return the class. Raises PluginError, naming plugin and distribution, where that fails."""
        found = self.imported()
        if not KINDS[self.kind].has(found):
            raise self.error(f"{self.where} {KINDS[self.kind].mismatch(found)}")
        return found  # type: ignore[no-any-return]

    def imported(self) -> Any:
        """Import and return what the target names, whatever it is. Raises what `load` raises."""
        try:
            return loading.load(self.target, self.digest)
        except (ChangedError, KeyboardInterrupt):
            raise
        except PluginError as error:
            raise self.error(str(error)) from error
        except BaseException as error:  # compiled code has exceptions of its own, which are no Exception
            raise self.error(f"{self.where} cannot be imported: {describe(error)}") from error

    @property
    def where(self) -> str:
        """Return where the class is, in words of who asked for it."""
        return self.name if self.digest else self.target

    def error(self, reason: str) -> PluginError:
        """Return the error for a class that cannot be used."""
        if self.digest:
            return PluginError(reason)
        return PluginError(f"{self.kind} {self.name!r} of {self.plugin.distribution} is broken: {reason}")


def in_file(kind: str, name: str) -> Entry:
    """Return the entry of a class in a single file, ./mine.py:MyModel. Raises PluginError where it cannot be read."""
    path, _, cls = name.rpartition(":")
    target = loading.in_file(path, cls)
    digest = sha256(loading.read(Path(loading.parts(target)[0]))).hexdigest()
    return Entry(kind, name, target, "", Plugin(FILE, FILE, digest[:16]), digest)


@dataclass
class Registry:
    """All names that all plugins registered, and all plugins, the broken ones too."""

    plugins: list[Plugin] = field(default_factory=list)
    _entries: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)

    def entries(self, kind: str) -> list[Entry]:
        """Return the registered names of a kind, sorted."""
        return [found for (k, _), several in sorted(self._entries.items()) if k == kind for found in several]

    def of(self, plugin: Plugin) -> list[Entry]:
        """Return the names that a plugin registered, kind by kind."""
        owner = (plugin.name, plugin.distribution)
        return [e for kind in KINDS for e in self.entries(kind) if (e.plugin.name, e.plugin.distribution) == owner]

    def named(self, name: str) -> list[Entry]:
        """Return the entries of a name, whatever their kind; a class in a file, ./mine.py:MyModel, is of one.

        Raises PluginError where the class in a file cannot be imported or is no plugin.
        """
        if not spec.is_file(name):
            return [entry for kind in KINDS for entry in self.entries(kind) if entry.name == name]
        entry = in_file("model", name)
        kind = kind_of(entry.imported())
        if kind is None:
            bases = ", ".join(f"genbench.{kind.base.__name__}" for kind in KINDS.values())
            raise entry.error(f"{entry.where} is no plugin; expected a subclass of one of {bases}")
        return [replace(entry, kind=kind.name)]

    def find(self, kind: str, name: str) -> Entry:
        """Return the entry of a name, or of a class in a file.

        Raises RequestError where no plugin or several third parties have the name, PluginError where there is no file.
        """
        if spec.is_file(name):
            return in_file(kind, name)
        found = self._entries.get((kind, name), [])
        if not found:
            known_names = {entry.name for entry in self.entries(kind)}
            if kind == "dataset" and os.path.isdir(name):
                raise RequestError(f"unknown dataset {name!r}, a folder here; expected {spec.as_dataset(name)}")
            raise self.unknown(kind, name, known_names, see=f"genbench list {KINDS[kind].plural}")
        if len(found) > 1:
            owners = " and ".join(sorted(entry.plugin.distribution for entry in found))
            raise RequestError(f"{kind} {name!r} is registered by {owners}: uninstall one, or set GENBENCH_PLUGINS")
        return found[0]

    def unknown(self, what: str, name: str, known_names: Iterable[str], see: str) -> RequestError:
        """Return the error for a name that nobody registered, with the broken plugins: one may have meant to."""
        broken = [plugin for plugin in self.plugins if plugin.problem]
        broken.sort(key=lambda plugin: -max(_likeness(name, plugin.name), _likeness(name, plugin.distribution)))
        mentions = [f"{p.name} of {p.distribution} ({printable(p.problem, 200)})" for p in broken[:SHOWN]]
        if len(broken) > SHOWN:
            mentions.append(f"and {len(broken) - SHOWN} more: see genbench plugins")
        return RequestError(
            f"{unknown(what, name, known_names, see)}{'. Broken: ' if mentions else ''}{'; '.join(mentions)}"
        )

    def add(self, plugin: Plugin, entries: list[Entry]) -> None:
        """Take a plugin in. Names that a built-in has are refused; the others of that plugin work."""
        taken = [e for e in entries if any(_is_builtin(o) for o in self._entries.get((e.kind, e.name), []))]
        for entry in entries:
            if entry not in taken:
                self._entries.setdefault((entry.kind, entry.name), []).append(entry)
        if taken:
            mentions = ", ".join(f"{entry.kind} {entry.name}" for entry in taken)
            plugin = replace(plugin, problem=f"name taken by a built-in: {mentions}")
        self.plugins.append(plugin)


def _is_builtin(entry: Entry) -> bool:
    return entry.plugin.distribution == BUILTIN


def _likeness(name: str, other: str) -> float:
    """Return how much a name is like another, 0 to 1: a part of it is most alike."""
    return 1.0 if name in other or other in name else SequenceMatcher(None, name, other).ratio()


def load_registry() -> Registry:
    """Return the registry of the built-in plugin and of every installed one that GENBENCH_PLUGINS allows.

    GENBENCH_PLUGINS names plugins or distributions, by commas; unset, all are loaded; empty, none but the built-in.
    """
    registry = Registry()
    for plugin, load in _sources():
        try:
            with loading.stdout_to_stderr():
                entries = _collect(plugin, load())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # compiled code has exceptions of its own, which are no Exception
            registry.add(replace(plugin, problem=_reason(error)), [])
        else:
            registry.add(plugin, entries)
    return registry


def _sources() -> Iterator[tuple[Plugin, Callable[[], object]]]:
    """Yield each plugin with what loads its module, the built-in first, the others in a fixed order."""
    yield Plugin("builtin", BUILTIN, _version()), lambda: importlib.import_module(BUILTIN_MODULE)
    allowed = os.environ.get("GENBENCH_PLUGINS")
    if allowed is not None and not allowed.strip():
        return
    allowed_names = None if allowed is None else {name.strip() for name in allowed.split(",")}
    for point in entry_points.points():
        if allowed_names is None or allowed_names & {point.name, point.distribution}:
            yield Plugin(point.name, point.distribution, point.version), point.load


def _version() -> str:
    try:
        return metadata.version(BUILTIN)
    except metadata.PackageNotFoundError:
        return "not installed"


def _collect(plugin: Plugin, module: object) -> list[Entry]:
    """Return what a plugin's hooks register. A manager of its own keeps a faulty plugin away from the others."""
    _check_api(module)
    manager = pluggy.PluginManager("genbench")
    manager.add_hookspecs(hookspecs)
    manager.register(module, plugin.name)
    manager.check_pending()
    entries: list[Entry] = []
    for kind in KINDS.values():
        getattr(manager.hook, kind.hook)(register=_register(kind, plugin, entries))
    return entries


def _check_api(module: object) -> None:
    """Raise PluginError where a plugin was written for an API that is not here."""
    needed = getattr(module, "GENBENCH_API", 1)
    if type(needed) is not int or needed < 1:
        raise PluginError(
            f"its GENBENCH_API is {printable(repr(needed), 60)}; expected the number of the plugin API that it was "
            f"written for, as in GENBENCH_API = {api.API_VERSION}"
        )
    if needed > api.API_VERSION:
        raise PluginError(
            f"it needs plugin API {needed}, and genbench {_version()} offers {api.API_VERSION}: upgrade genbench"
        )


def _register(kind: Kind, plugin: Plugin, entries: list[Entry]) -> api.Register:
    """Return the callback that a hook is handed; it appends to entries."""

    def register(name: str, target: type | str, *, summary: str) -> None:
        if not isinstance(name, str) or not spec.NAME.fullmatch(name) or name in READ_AS_MISSING:
            raise PluginError(
                f"{kind.name} name {printable(name)!r}: expected small letters, digits and '-', beginning with a "
                f"letter, at most 40, and none of {', '.join(sorted(READ_AS_MISSING))}"
            )
        entries.append(Entry(kind.name, name, _target(kind, name, target), printable(summary), plugin))

    return register


def _target(kind: Kind, name: str, target: object) -> str:
    """Return the target that a plugin registered, as text. Raises PluginError where it cannot be one."""
    path = loading.of_class(target) if isinstance(target, type) else str(target)
    parts = path.split(":")
    if len(parts) != 2 or not all(part.replace(".", "_").isidentifier() for part in parts):
        raise PluginError(f'{kind.name} {name}: target {printable(path)!r} is neither a class nor "module:Class"')
    if isinstance(target, type) and not kind.has(target):
        raise PluginError(f"{kind.name} {name}: {path} {kind.mismatch(target)}")
    return path


def _reason(error: BaseException) -> str:
    """Return why a plugin is broken, in a line; what genbench itself says of it needs no type in front."""
    return printable(error) if isinstance(error, GenbenchError) else describe(error)


def describe(error: BaseException) -> str:
    """Return an exception as one line: its type and message."""
    message = printable(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
