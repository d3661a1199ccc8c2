"""From what a user typed to a plugin with all its options, remembered so that a finished run imports no plugin."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genbench import api, files
from genbench.abilities import abilities
from genbench.errors import ChangedError, GenbenchError, PluginError, RequestError, printable, unknown
from genbench.named_files import MOST_BYTES, File
from genbench.registry import code, file_options, loading, options, spec
from genbench.registry.plugins import Entry, Registry, describe

FORMAT = 13

OF_CODE = ("model", "metric", "extractor")
"""The kinds that stored results are computed by; what a dataset gives is known by its content."""


@dataclass(frozen=True)
class Resolved:
    """A plugin with all its options: plain data, which travels to workers and into records.

    label is what can be typed to get it again; options are those that results depend on, settings the others; traits
    are what the harness must know without importing it; source is the digest of its module's or single file's text;
    code that of all modules behind it (`genbench.registry.code`), for what results are of: models, metrics, extractors.
    A file that an option names has its content among the options, and its path among the settings.
    """

    kind: str
    name: str
    label: str
    target: str
    version: int
    distribution: str
    distribution_version: str
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    traits: Mapping[str, Any]
    source: str
    code: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """Return what results depend on: of a class in a single file, the file's content, wherever it lies."""
        known = {"plugin": self.distribution, "name": self.name, "version": self.version, "options": dict(self.options)}
        if not loading.is_file(self.target):
            return known
        return {**known, "name": loading.parts(self.target)[1], "source": self.source}

    @property
    def named_files(self) -> dict[str, File]:
        """Return the files that options name."""
        return file_options.of(self.options, self.settings)

    @property
    def shown(self) -> str:
        """Return the label with the names of files in place of their paths."""
        return file_options.shown(dataclasses.asdict(self))

    @property
    def values(self) -> dict[str, Any]:
        """Return all options, in the form that plugins are made with."""
        named = {name: file_options.plain(file) for name, file in self.named_files.items()}
        return {**self.options, **self.settings, **named}

    def check(self) -> None:
        """Raise ChangedError where it is in a single file, or an option names one, that is not what it was."""
        loading.check(self.target, self.source)
        for file in self.named_files.values():
            file.check()

    def instantiate(self) -> Any:
        """Import the class and return the plugin. Raises PluginError where that fails, ChangedError as `check` does."""
        try:
            cls = loading.load(self.target, self.source)
            return options.construct(cls, self.values)
        except ChangedError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self.kind} {self.name!r} of {self.distribution} cannot be made: {describe(error)}"
            ) from error


@dataclass(frozen=True)
class Resolver:
    """Resolves requests against a registry; `cache` is the folder where resolutions are remembered, or None.

    A remembered resolution counts only while the files of the plugin's package, or its single file, are as they were.
    """

    registry: Registry
    cache: Path | None = None
    _memory: dict[str, Resolved] = field(default_factory=dict)

    def resolve(self, kind: str, text: str, overrides: Mapping[str, Any] | None = None) -> Resolved:
        """Return the plugin of a kind that a text asks for; overrides are option values that win over the text's.

        A file that one of them names counts as it is now.
        """
        request = spec.parse(text, kind)
        entry = self.registry.find(kind, request.name)
        requested = [request.name, request.preset, request.positional, dict(request.options), dict(overrides or {})]
        state = entry.digest or loading.package_state(entry.target)
        named = _stamps([request.positional, *request.options.values(), *(overrides or {}).values()])
        key = files.digest([FORMAT, kind, entry.target, entry.plugin.version, requested, state, *named], 24)
        if key not in self._memory:
            found = self._recall(key, kind, entry.target)
            self._memory[key] = found or self._remember(key, _resolve(entry, request, overrides or {}))
        return _with_code(self._memory[key])

    def remembered(self, kind: str, text: str, of: Sequence[Any], complete: Callable[[Resolved], Resolved]) -> Resolved:
        """Return a resolution completed by what costs an import: remembered by what it is `of`.

        A file that an option names counts as it is now.
        """
        resolved = self.resolve(kind, text)
        stamps = _stamps([*resolved.options.values(), *resolved.settings.values()])
        state = loading.package_state(resolved.target)
        key = files.digest([FORMAT, kind, dataclasses.asdict(resolved), list(of), stamps, state], 24)
        if key not in self._memory:
            found = self._recall(key, kind, resolved.target)
            self._memory[key] = found or self._remember(key, complete(resolved))
        return self._memory[key]

    def _recall(self, key: str, kind: str, target: str) -> Resolved | None:
        """Return what was remembered under a key, or None where that is nothing, damaged, or of another plugin."""
        if self.cache is None:
            return None
        try:
            record = files.read_record(self.cache / "resolved" / f"{key}.json")
            found = Resolved(**record.pop("resolved"))
        except (GenbenchError, TypeError, KeyError):
            return None
        return found if (record, found.kind, found.target) == ({"key": key}, kind, target) else None

    def _remember(self, key: str, resolved: Resolved) -> Resolved:
        if self.cache is not None:
            record = {"key": key, "resolved": dataclasses.asdict(resolved)}
            with contextlib.suppress(GenbenchError):  # a cache that cannot be written costs time, nothing else
                files.write_record(self.cache / "resolved" / f"{key}.json", record)
        return resolved


def _stamps(values: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what identifies the files that options name."""
    found = [_stamp(value) for value in values if isinstance(value, str) and value]
    return [stamp for stamp in found if stamp]


def _with_code(resolved: Resolved) -> Resolved:
    """Return a plugin with the digest of its code as it is now, which is never remembered."""
    if resolved.kind not in OF_CODE:
        return resolved
    return dataclasses.replace(resolved, code=code.digest(resolved.target))


def _stamp(text: str) -> dict[str, Any] | None:
    """Return what identifies the file that an option names; None where it names none."""
    with contextlib.suppress(OSError, ValueError):  # no path at all, as one that is too long
        path = Path(os.path.expanduser(text))
        if path.is_file():
            is_small = path.stat().st_size <= MOST_BYTES
            return {
                "path": str(path.absolute()),
                **(files.stamp(path) if is_small else {"state": files.state(path.stat())}),
            }
    return None


def _resolve(entry: Entry, request: spec.Request, overrides: Mapping[str, Any]) -> Resolved:
    cls = entry.load()
    preset = _preset(cls, request)
    known = options.declared(cls)
    _check_preset(entry, request, [name for name in preset if name in known and known[name].is_file])
    given = {**_positional(cls, request), **request.options, **overrides}
    base = options.complete(cls, request.name, preset)
    full = options.complete(cls, request.name, {**preset, **given})
    try:
        plugin = options.construct(cls, full)
        traits = _traits(entry.kind, plugin)
    except GenbenchError:
        raise
    except Exception as error:
        raise RequestError(f"{request.name} refuses these options: {describe(error)}") from error
    counting, others = _taken_apart(known, full)
    return Resolved(
        kind=entry.kind,
        name=spec.slug(request.name),
        label=_label(cls, request, base, file_options.typed(full, given)),
        target=entry.target,
        version=cls.version,
        distribution=entry.plugin.distribution,
        distribution_version=entry.plugin.version,
        options=counting,
        settings=others,
        traits=traits,
        source=entry.digest or loading.source_digest(entry.target),
    )


def _check_preset(entry: Entry, request: spec.Request, named: Sequence[str]) -> None:
    if named:
        raise PluginError(
            f"preset {request.preset!r} of {entry.where} names a file for {named[0]}; expected none: who uses it does"
        )


def _taken_apart(known: Mapping[str, options.Option], full: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options that results depend on, and the others; of a file, the content and the path."""
    counting: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in full.items():
        if known[name].is_file:
            content, path = file_options.apart(name, value)
            counting |= content
            others |= path
        else:
            (counting if known[name].identity else others)[name] = value
    return counting, others


def _positional(cls: type, request: spec.Request) -> dict[str, Any]:
    name = getattr(cls, "positional", None)
    if request.positional is not None and name is None:
        shown = printable(spec.format_value(request.positional))
        raise RequestError(f"{request.name} takes no unnamed value, not {shown}: expected option=value")
    if request.positional is None and name is not None and _is_required(cls, name) and name not in request.options:
        raise RequestError(f"{request.name} needs a {name}: as in {request.name}:{name.upper()}")
    return {} if request.positional is None else {str(name): request.positional}


def _is_required(cls: type, name: str) -> bool:
    return options.declared(cls)[name].default in ("", None)


def _preset(cls: type[api.Plugin], request: spec.Request) -> Mapping[str, Any]:
    if request.preset is None:
        return {}
    if request.preset not in cls.presets:
        if not cls.presets:
            raise RequestError(f"{request.name} has no presets, so no {request.name}@{request.preset}")
        raise unknown(f"preset of {request.name}", request.preset, cls.presets, see=f"genbench show {request.name}")
    return cls.presets[request.preset]


def _label(cls: type, request: spec.Request, base: Mapping[str, Any], full: Mapping[str, Any]) -> str:
    """Return the shortest text that resolves to the same: the preset, and what differs from it.

    Options of models and metrics that were typed stay in it, also at their defaults: a value that is swept is to be
    seen. A fold is always named: the dataset's name alone is what all of them go by together.
    """
    positional = getattr(cls, "positional", None)
    named = {"fold"} if getattr(cls, "folds", 1) > 1 else set()
    if issubclass(cls, api.Model | api.Metric):  # labels of extractors are part of protocols
        named |= set(request.options)
    changed = {name: value for name, value in full.items() if value != base[name] or name in named}
    unnamed = changed.pop(positional, None) if positional else None
    colon = isinstance(unnamed, str) and issubclass(cls, api.Dataset)
    return spec.format_request(spec.Request(request.name, request.preset, unnamed, changed), colon)


def _traits(kind: str, plugin: Any) -> dict[str, Any]:
    """Return what tables and plans must know of a plugin without importing it."""
    if kind == "model":
        return {
            "samples_are": plugin.samples_are,
            "family": plugin.family,
            "role": plugin.role,
            "chains": plugin.chains,
            "abilities": abilities(plugin),
            **({} if plugin.trains else {"trains": False}),
        }
    if kind == "metric":
        return {
            "title": plugin.title,
            "unit": plugin.unit,
            "higher_is_better": plugin.higher_is_better,
            "caption_extras": list(plugin.caption_extras),
            "describe": plugin.describe(),
            "samples": getattr(plugin, "samples", 0),
            "for_any_images": plugin.for_any_images,
            "own_classes": plugin.own_classes,
            "uses_target": plugin.uses_target,
            "real_is_best": plugin.real_is_best,
            "bounds": list(plugin.bounds) if plugin.bounds else None,
        }
    if kind == "engine":
        return {name: getattr(plugin, name) for name in ("can_cancel", "is_remote", "can_detach")}
    return {"citation": plugin.citation, "folds": plugin.folds} if kind == "dataset" else {}
