"""Tables as files: the formats that there are, and where a command puts one."""

from __future__ import annotations

from pathlib import Path

import click

from genbench.errors import RequestError, printable
from genbench.files import write_text

FORMATS = ("table", "csv", "markdown", "latex", "json")

SUFFIXES = {"": "table", ".txt": "table", ".csv": "csv", ".md": "markdown", ".tex": "latex", ".json": "json"}
"""The format of a file, unless one is asked for."""


def chosen(form: str | None, output: Path | None) -> str:
    """Return the format asked for, else what a file's suffix says, else table.

    Raises RequestError where the suffix is none of ours, or no file can be put there: before any table is made.
    """
    form = form or (_format_of(output) if output else "table")
    if output is not None:
        _check_output(output)
    return form


def put(text: str, output: Path | None) -> None:
    """Write a table's text to a file, or print it as it is."""
    if output is None:
        click.echo(text.encode(), nl=False)
    else:
        write_text(output, text)


def _format_of(output: Path) -> str:
    """Return the format that a file's suffix says. Raises RequestError where that is none of ours."""
    if output.suffix.lower() not in SUFFIXES:
        known = ", ".join(filter(None, SUFFIXES))
        raise RequestError(f"-o {printable(output)}: no format is of this suffix; expected {known}, or --format too")
    return SUFFIXES[output.suffix.lower()]


def _check_output(output: Path) -> None:
    """Raise RequestError where no file can be put there."""
    if output.is_dir():
        raise RequestError(f"-o {printable(output)}: it is a folder; expected the path of a file")
    above = next(parent for parent in output.absolute().parents if parent.exists())
    if not above.is_dir():
        raise RequestError(f"-o {printable(output)}: {printable(above)} is no folder; expected one to put the file in")
