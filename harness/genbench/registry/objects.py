"""Classes and instances of plugins, given in Python, as the text that names the same."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from genbench import api
from genbench.errors import RequestError, printable
from genbench.named_files import File
from genbench.registry import file_options, loading, options, spec
from genbench.registry.plugins import KINDS, Kind, Registry


def text_of(kind: str, given: api.Plugin | type, registry: Registry) -> str:
    """Return the text that names a class, or an instance with its options: gan, vae[latent=50], ./mine.py:MyModel.

    A class that nobody registered is named by its file, from which every process can load it, and whose content is part
    of what it is. Learned state of an instance is none of it. Raises RequestError for what no text can name.
    """
    cls = given if isinstance(given, type) else type(given)
    if not KINDS[kind].has(cls):
        raise RequestError(f"{cls.__qualname__} {KINDS[kind].mismatch(cls)}; expected a {kind}")
    name = _registered(kind, cls, registry) or _in_file(KINDS[kind], cls)
    chosen = {} if isinstance(given, type) else _chosen(cls, given)
    return spec.format_request(spec.Request(name, options=chosen))


def _registered(kind: str, cls: type, registry: Registry) -> str:
    """Return the name that a class is registered under, or ""."""
    return next((entry.name for entry in registry.entries(kind) if _is(cls, entry.target)), "")


def _is(cls: type, target: str) -> bool:
    """Return whether a target names a class. Nothing is imported: whoever holds the class has imported it."""
    where, name = loading.parts(target)
    return loading.of_class(cls) == target or getattr(sys.modules.get(where), name, None) is cls


def _in_file(kind: Kind, cls: type) -> str:
    """Return the path and name of a class in a module's file."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    path = Path(file).absolute()
    name = f"{'./' + os.path.relpath(path) if path.is_relative_to(Path.cwd()) else path}:{cls.__qualname__}"
    if cls.__module__ == "__main__" or not file.endswith(".py") or not spec.is_file(name):
        where = "the script or notebook itself" if cls.__module__ == "__main__" else printable(cls.__module__)
        raise RequestError(
            f"{kind.name} {printable(cls.__qualname__)} of {where} is not registered, and no worker process can import "
            f"it; expected a class at the top level of a file of its own, as in ./mine.py:{cls.__name__}"
        )
    return name


def _chosen(cls: type, given: api.Plugin) -> dict[str, Any]:
    """Return the options of an instance that are not the defaults, as they can be typed."""
    found = {name: getattr(given, name) for name in options.declared(cls)}
    complete = options.complete(cls, cls.__name__, {name: plain(value) for name, value in found.items()})
    complete = file_options.typed(complete)
    defaults = options.complete(cls, cls.__name__, {})
    chosen = {name: value for name, value in complete.items() if value != defaults[name]}
    for name, value in chosen.items():
        if value is None:
            raise RequestError(f"{cls.__name__}: option {name} is None; expected a value that can be typed")
    return chosen


def plain(value: Any) -> Any:
    """Return a value as options have it: a list for a tuple, numpy's numbers as Python's, paths and files as texts."""
    if isinstance(value, File):
        return value.path
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value.tolist() if hasattr(value, "tolist") else value
