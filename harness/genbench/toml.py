"""TOML files read with their keys checked: an unknown one is an error that names the nearest."""

from __future__ import annotations

import itertools
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbench import files
from genbench.errors import RequestError, printable, unknown

LONGEST = 1 << 20
"""Bytes of the longest file that is read."""

DEEPEST = 20
"""How deep tables and lists may lie within each other; more would be too much for whatever walks through them."""

Shape = Mapping[str, tuple[type, ...]]


def read(path: Path) -> dict[str, Any]:
    """Return a TOML file. Raises RequestError where it cannot be read, or is too long for what people write."""
    try:
        with files.opened(path) as file:
            if (size := os.fstat(file.fileno()).st_size) > LONGEST:
                expected = f"expected at most {LONGEST:,}"
                raise RequestError(f"cannot read {printable(path)}: it has {size:,} bytes; {expected}")
            table = tomllib.loads(file.read().decode("utf-8-sig"))  # editors of Windows begin with a byte order mark
        if _depth(table) > DEEPEST:
            raise RecursionError
        return table
    except OSError as error:
        raise RequestError(
            f"cannot read {printable(path)}: {error.strerror or error}; expected a file in TOML"
        ) from error
    except RecursionError as error:
        raise RequestError(f"{printable(path)} is nested too deep; expected at most {DEEPEST} levels") from error
    except ValueError as error:  # numbers of thousands of digits too
        raise RequestError(f"{printable(path)} is not TOML: {printable(error)}; expected UTF-8 text in it") from error


def _depth(table: dict[str, Any]) -> int:
    """Return how deep tables and lists lie within each other, without walking into them one by one."""
    level: list[Any] = [table]
    for depth in itertools.count():
        level = [x for each in level for x in (each.values() if isinstance(each, dict) else each)]
        level = [each for each in level if isinstance(each, dict | list)]
        if not level or depth > DEEPEST:
            return depth
    raise AssertionError  # count() never ends


def check(table: Mapping[str, Any], shape: Shape, where: str) -> None:
    """Raise RequestError unless every key is known and its value of the right type (true is no number)."""
    for key, value in table.items():
        if key not in shape:
            raise unknown(f"key in {where}", key, shape)
        allowed = shape[key]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            expected = " or ".join(_WORDS[kind] for kind in allowed)
            raise RequestError(f"{where}: {key} is {printable(repr(value), 60)}; expected {expected}")


_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}
