"""Errors in words: one line each on stderr, whatever is in them."""

from __future__ import annotations

import contextlib
import errno
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


ADVICE = {
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EFBIG: "raise the bound on the size of files (ulimit -f)",
    errno.EMFILE: "raise the bound on open files (ulimit -n), or take fewer --jobs",
    errno.EAGAIN: "raise the bound on processes (ulimit -u), or take fewer --jobs",
    errno.ENOMEM: "raise the bound on memory (ulimit -v), or take fewer --jobs",
    errno.ENOTDIR: "name a folder",
}
"""What to do about what the system refuses; where nothing is said, its rights are to be mended."""


def of_the_system(error: Exception) -> str:
    """Return what is said of an error that the system, and no rule of ours, has raised."""
    if isinstance(error, OSError) and error.errno:
        where = f"{printable(error.filename)}: " if error.filename else ""
        return f"{where}{error.strerror}; {ADVICE.get(error.errno, 'mend it, or name another place')}"
    return f"{printable(error) or 'out of memory'}; {ADVICE[errno.ENOMEM]}"


def is_of_the_system(error: Exception) -> bool:
    """Return whether an error says that the system refuses something: what a person can mend, and we cannot."""
    is_unmapped = isinstance(error, ImportError) and "failed to map" in str(error)
    return is_unmapped or isinstance(error, MemoryError) or (isinstance(error, OSError) and bool(error.errno))


def one_line(error: click.ClickException | GenbenchError) -> str:
    """Return what an error says; of a command line that was mistyped, also where its help is."""
    if isinstance(error, GenbenchError):
        return printable(error, 1000)
    message = printable(error.format_message(), 1000)
    context = getattr(error, "ctx", None)
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See: {context.command_path} --help" if context else message
