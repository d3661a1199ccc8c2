"""The code behind a plugin's class: its module and what that imports from its own package, found without importing."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbench import files
from genbench.registry import loading

MOST_MODULES = 300
"""Modules that are looked at, the nearest first: results that anyone wrote may name a class in a huge package."""


@dataclass(frozen=True)
class _Places:
    """Where modules are looked for: in the folders of one top-level package, or, of a lone file, beside it."""

    package: str
    folders: Sequence[Path]

    def find(self, module: str) -> tuple[Path | None, bool]:
        """Return a module's file, or None where it lies elsewhere, and whether it is a package."""
        top, *inner = module.split(".")
        if self.package and top != self.package:
            return None, False
        if not self.package and (top in sys.stdlib_module_names or top == "genbench"):
            return None, False
        for folder in self.folders:
            path = folder.joinpath(*inner) if self.package else folder.joinpath(top, *inner)
            if (path / "__init__.py").is_file():
                return path / "__init__.py", True
            if path.with_name(f"{path.name}.py").is_file():
                return path.with_name(f"{path.name}.py"), False
        return None, False


def digest(target: str) -> str:
    """Return what tells changed code of a target from unchanged: 16 hex digits, or "" where there is no file to read.

    It is of the text of the class's module and of every module that this imports, itself or by way of others, from its
    own top-level package; where it lies in none, from beside it. Nothing is imported.
    """
    found = modules(target)
    digests = [[name, hashlib.sha256(content).hexdigest()] for name, content in sorted(found.items())]
    return files.digest(digests, 16) if found else ""


def modules(target: str) -> dict[str, bytes]:
    """Return the content of the modules behind a target, by name; of a lone file itself the name is ""."""
    path = loading.locate(target)
    if path is None or path.suffix != ".py":
        return {}
    module = "" if loading.is_file(target) else loading.parts(target)[0]
    places = _places(module, path)
    found: dict[str, bytes] = {}
    waiting = [module, *_above(module)] if places.package else [module]
    for name in waiting:  # grows: the nearest come first
        where, is_package = places.find(name) if places.package or name != module else (path, False)
        if where is None or name in found or len(found) == MOST_MODULES:
            continue
        with contextlib.suppress(OSError, ValueError):
            found[name] = files.read_bytes(where)
            for imported in _imports(found[name], name, is_package):
                waiting += [imported, *_above(imported)]
    return found


def _places(module: str, path: Path) -> _Places:
    """Return where the modules lie that count for a class; a lone file among all that is installed stands alone."""
    top = module.partition(".")[0]
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(top) if top else None
        if spec is not None and spec.submodule_search_locations is not None:
            return _Places(top, [Path(folder) for folder in spec.submodule_search_locations])
    installed = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")}
    return _Places("", [] if path.parent in installed else [path.parent])


def _above(module: str) -> list[str]:
    """Return the packages around a module: to import it runs them too."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


@functools.lru_cache(maxsize=1024)
def _imports(content: bytes, module: str, is_package: bool) -> tuple[str, ...]:
    """Return the names that a module's text imports, anywhere in it; () of what is no Python."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(dict.fromkeys(name for node in _statements(tree) for name in _named(node, module, is_package)))


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield all statements, those inside of others too; expressions hold none, and are most of a tree."""
    bodies: list[Any] = [tree]
    while bodies:
        node = bodies.pop()
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                yield from (each for each in inner if isinstance(each, ast.stmt))
                bodies += inner


def _named(node: ast.stmt, module: str, is_package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, module, is_package)
        if base:
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _base(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """Return what an import is from; a relative one counts dots up from its module's package."""
    if not node.level:
        return node.module or ""
    around = module.split(".")
    around = around[: len(around) - node.level + is_package]
    return ".".join(filter(None, [*around, node.module or ""]))


LIBRARIES = ("annotated_types", "genbench", "numpy", "scipy", "torch", "torchvision")
ELSEWHERE = {*LIBRARIES, *sys.stdlib_module_names}
"""What holds no training loop that a model's fit could call."""


def may_select(cls: type) -> bool:
    """Return whether a model's fit may give `run.batches(..., select=True)`: the code behind it says `select` anywhere.

    Where that code cannot be read, or imports what may hold the loop, nothing is known, and it may.
    """
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] not in ELSEWHERE]
    found = [modules(loading.of_class(base)) for base in bases]
    return not all(found) or any(_may_select(each) for each in found)


def _may_select(found: Mapping[str, bytes]) -> bool:
    expected = {*ELSEWHERE, *(name.partition(".")[0] for name in found)}
    imported = {
        name.partition(".")[0]
        for module, text in found.items()
        for name in _imports(text, module, any(other.startswith(f"{module}.") for other in found))
    }
    return bool(imported - expected) or any(re.search(rb"\bselect\b", text) for text in found.values())


def is_older(target: str, source: str, code: str) -> bool:
    """Return whether results are of other code than a plugin's here, by the digests of its source and of all its code.

    Of a plugin that is not here nothing is known.

    Records from before the digest was of several modules have that of the class's own alone, and are held to that.
    """
    now, then = (digest(target), code) if code else (loading.source_digest(target), source)
    return now not in ("", then) and then != ""


def is_another_file(target: str, source: str) -> bool:
    """Return whether a plugin's single file is another now than the one whose digest is given."""
    return loading.is_file(target) and loading.source_digest(target) != source
