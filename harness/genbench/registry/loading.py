"""A plugin's class found, hashed and loaded by its target: "module:Class", or "/folder/mine.py:Class" in a file."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.machinery import PathFinder, SourceFileLoader
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from genbench import files
from genbench.errors import ChangedError, PluginError, did_you_mean, printable

MODULE = "genbench_file_"
"""What the module of a single file is called, with the digests of its content and of its path behind it."""


# Found ---------------------------------------------------------------------------------------------------------------


def parts(target: str) -> tuple[str, str]:
    """Return the module or file of a target, and the name of the class in it."""
    where, _, name = target.rpartition(":")
    return where, name


def in_file(path: str, name: str) -> str:
    """Return the target of a class in a file whose path is as typed. Raises PluginError where it cannot be written."""
    target = f"{Path(os.path.expanduser(path)).absolute()}:{name}"  # Path's own expanduser refuses ~nobody
    try:
        target.encode()  # it becomes part of records
    except UnicodeEncodeError as error:
        raise PluginError(
            f"the path {printable(target)} has bytes that are no text here; rename the folder, or set LC_ALL=C.UTF-8"
        ) from error
    return target


def is_file(target: str) -> bool:
    """Return whether a target is a class in a single file, which nobody registered."""
    where, _ = parts(target)
    return os.path.isabs(where) and where.endswith(".py")


def of_class(cls: type) -> str:
    """Return the target that names a class."""
    where = cls.__module__
    if where.startswith(MODULE):
        where = str(sys.modules[where].__file__)
    return f"{where}:{cls.__qualname__}"


def locate(target: str) -> Path | None:
    """Return the file that holds a target, or None. Nothing is imported: results that anyone wrote name targets."""
    where, _ = parts(target)
    path = Path(where) if is_file(target) else _module_file(where)
    with contextlib.suppress(OSError, ValueError):  # no path at all, as one with a zero byte in it
        return path if path and path.is_file() else None
    return None


def _module_file(module: str) -> Path | None:
    """Return a module's file, or None. Imports neither it nor the packages around it."""
    package, *inner = module.split(".")
    if not all(part.isidentifier() for part in (package, *inner)):
        return None
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # what is run as a script has no spec
        return None
    for part in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return Path(spec.origin) if spec and spec.origin else None


# Hashed --------------------------------------------------------------------------------------------------------------


def source_digest(target: str) -> str:
    """Return the SHA-256 of the text around a target, in hex: 16 digits of a module's, all of a single file's.

    "" where there is no file to read. A single file's is part of identities, a module's is only recorded.
    """
    path = locate(target)
    if path is None:
        return ""
    with contextlib.suppress(OSError):
        return files.sha256(path) if is_file(target) else files.sha256(path)[:16]
    return ""


def package_state(target: str) -> list[Any]:
    """Return names and states of the files of a target's package, code and TOML: a changed plugin changes it."""
    try:
        spec = importlib.util.find_spec(target.partition(".")[0].partition(":")[0])
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    roots = [Path(p) for p in spec.submodule_search_locations or []]
    found = sorted(p for root in roots for p in root.rglob("*") if p.suffix in (".py", ".toml")) or [
        Path(spec.origin or "")
    ]
    return [[str(p), *files.state(p.stat())] for p in found if p.is_file()]


def read(path: Path) -> bytes:
    """Return the content of a Python file. Raises PluginError, with the reason, where there is none to be had."""
    try:
        return files.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PluginError(
            f"there is no file {printable(path)}; expected a Python file, as in ./mine.py:MyModel"
        ) from error
    except OSError as error:
        expected = "; expected a Python file, as in ./mine.py:MyModel"
        raise PluginError(f"cannot read {printable(path)}: {error.strerror or error}{expected}") from error


# Loaded --------------------------------------------------------------------------------------------------------------


def load(target: str, digest: str = "") -> Any:
    """Import and return what a target names; digest is what the content of a single file must have.

    Raises what the import raises, PluginError where the name is not in it, and ChangedError where a file is not what it
    was.
    """
    where, name = parts(target)
    with stdout_to_stderr():
        module = _module_of(Path(where), digest) if is_file(target) else importlib.import_module(where)
        try:
            return attrgetter(name)(module)
        except AttributeError as error:
            classes = [key for key, value in getattr(module, "__dict__", {}).items() if isinstance(value, type)]
            raise PluginError(
                f"there is no class {name!r} in {printable(where)}.{did_you_mean(name, classes)}"
            ) from error


def check(target: str, digest: str) -> None:
    """Raise ChangedError where a target is in a single file that is not what it was."""
    if is_file(target):
        _unchanged(Path(parts(target)[0]), digest)


def _unchanged(path: Path, digest: str) -> bytes:
    """Return the content of a file that must have a digest."""
    try:
        content = read(path)
    except PluginError as error:
        raise ChangedError(f"{error}. It was there when the run was planned; start the run again") from error
    if sha256(content).hexdigest() != digest:
        raise ChangedError(f"{printable(path)} changed while the run was going on; start the run again")
    return content


def _module_of(path: Path, digest: str) -> ModuleType:
    """Return the module of a single file, made once per content: what is executed is what was hashed."""
    content = _unchanged(path, digest)
    name = f"{MODULE}{digest}_{sha256(os.fsencode(path)).hexdigest()[:8]}"  # a copy may lie beside other data
    if name not in sys.modules:
        loader = SourceFileLoader(name, str(path))
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        assert spec is not None  # a loader was given
        sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses and type hints look there
        try:
            exec(loader.source_to_code(content, str(path)), vars(sys.modules[name]))
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Keep what a plugin prints while it is imported out of tables and CSV files."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
