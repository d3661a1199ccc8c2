"""Errors told to people: one line each on stderr, whatever is in them."""

from __future__ import annotations

import contextlib
import sys

import click

from genbench.errors import GenbenchError, printable

DEBUG = "Show tracebacks of errors."
"""What --debug does, of every command."""

WRONG_USE = 2
"""The exit code of a command that was asked for what it cannot do."""


def complain(message: str) -> int:
    """Print a complaint on one line of stderr; return the exit code that goes with it."""
    with contextlib.suppress(OSError):  # nobody may be reading
        print(f"genbench: {message}", file=sys.stderr, flush=True)
    return WRONG_USE


def one_line(error: click.ClickException | GenbenchError) -> str:
    """Return what an error says; of a command line that was mistyped, also where its help is."""
    if isinstance(error, GenbenchError):
        return printable(error, 1000)
    message = printable(error.format_message(), 1000)
    context = getattr(error, "ctx", None)
    return f"{message} See: {context.command_path} --help" if context else message
