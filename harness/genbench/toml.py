"""TOML files read with their keys checked: an unknown one is an error that names the nearest."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbench.errors import RequestError, printable, unknown

LONGEST = 1 << 20
"""Bytes of the longest file that is read."""

Shape = Mapping[str, tuple[type, ...]]


def read(path: Path) -> dict[str, Any]:
    """Return a TOML file. Raises RequestError where it cannot be read, or is too long for what people write."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would be read without end
            raise RequestError(f"cannot read {printable(path)}: it is no file; expected a file in TOML")
        if (size := path.stat().st_size) > LONGEST:
            raise RequestError(f"cannot read {printable(path)}: it has {size:,} bytes; expected at most {LONGEST:,}")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets as deep
        raise RequestError(f"{printable(path)} is not TOML: {printable(error)}; expected UTF-8 text in it") from error


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
