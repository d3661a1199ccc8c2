"""Tables put out: printed, or in one of the formats of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.files import write_text
from genbench.output.console import stdout_console, text_console

if TYPE_CHECKING:
    import pandas as pd

    from genbench.output.tables import Table

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("table", "csv", "markdown", "latex", "json")

SUFFIXES = {"": "table", ".txt": "table", ".csv": "csv", ".md": "markdown", ".tex": "latex", ".json": "json"}
"""The format of a file, unless one is asked for."""


def chosen(form: str | None, output: Path | None) -> str:
    """Return the format asked for, else what a file's suffix says, else table.

    Raises RequestError where the suffix is none of ours, or no file can be put there: before any table is made.
    """
    form = form or (_format_of(output) if output else "table")
    if output is not None:
        check_output(output)
    return form


def options(command: Command) -> Command:
    """Add --format and --output to a command."""
    form = click.option(
        "--format", "form", type=click.Choice(FORMATS), help="[default: what FILE's suffix says, else table]"
    )
    output = click.option("--output", "-o", type=path, metavar="FILE", help="Write there instead of printing.")
    return form(output(command))


@dataclass(frozen=True)
class Shown:
    """What can be put out: tables as printed, tables for documents, and a frame in full precision."""

    printed: Callable[[], Sequence[Table]]
    documents: Callable[[], Sequence[Table]]
    frame: Callable[[], pd.DataFrame]


def put(shown: Shown, form: str, output: Path | None) -> None:
    """Print in a format, or write to a file."""
    from genbench.output.terminal import print_tables

    if output is not None:
        write_text(output, text(shown, form))
    elif form == "table":
        print_tables(shown.printed(), stdout_console())
    else:
        click.echo(text(shown, form).encode(), nl=False)


def text(shown: Shown, form: str) -> str:
    """Return what is shown as text in a format."""
    from genbench.output.tables_csv import to_csv
    from genbench.output.tables_json import to_json
    from genbench.output.tables_latex import to_latex
    from genbench.output.tables_markdown import to_markdown
    from genbench.output.terminal import print_tables

    match form:
        case "csv":
            return to_csv(shown.frame())
        case "json":
            return to_json(shown.frame())
        case "markdown":
            return to_markdown(shown.documents())
        case "latex":
            return to_latex(shown.documents())
    console, written = text_console()
    print_tables(shown.printed(), console)
    return written.getvalue()


def _format_of(output: Path) -> str:
    """Return the format that a file's suffix says. Raises RequestError where that is none of ours."""
    if output.suffix.lower() not in SUFFIXES:
        known = ", ".join(filter(None, SUFFIXES))
        raise RequestError(f"-o {printable(output)}: no format is of this suffix; expected {known}, or --format too")
    return SUFFIXES[output.suffix.lower()]


def check_output(output: Path) -> None:
    """Raise RequestError where no file can be put there."""
    if output.is_dir():
        raise RequestError(f"-o {printable(output)}: it is a folder; expected the path of a file")
    above = next(parent for parent in output.absolute().parents if parent.exists())
    if not above.is_dir():
        raise RequestError(f"-o {printable(output)}: {printable(above)} is no folder; expected one to put the file in")
