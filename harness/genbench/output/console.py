"""The one factory of consoles: no markup, emoji or highlighting, since rich would eat `gan[lr=0.05]`."""

from __future__ import annotations

import sys
from io import StringIO
from typing import TextIO

from rich.console import Console


class PlainConsole(Console):
    """A console that leaves it to its caller what to do when nobody reads any more; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Go on raising the BrokenPipeError that is being handled."""
        raise


def stdout_console() -> Console:
    """Return the console for results."""
    return _console(sys.stdout)


def stderr_console() -> Console:
    """Return the console for progress and complaints."""
    return _console(sys.stderr)


def text_console(width: int = 80) -> tuple[Console, StringIO]:
    """Return a console that writes plain text of a width, and what it has written."""
    written = StringIO()
    return _console(written, width), written


def _console(file: TextIO, width: int | None = None) -> Console:
    return PlainConsole(file=file, markup=False, emoji=False, highlight=False, soft_wrap=False, width=width)
