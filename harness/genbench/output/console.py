"""The one factory of consoles: no markup, emoji or highlighting, since rich would eat `gan[lr=0.05]`."""

from __future__ import annotations

import sys

from rich.console import Console


def stdout_console() -> Console:
    """Return the console for results."""
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, soft_wrap=False)


def stderr_console() -> Console:
    """Return the console for progress and complaints."""
    return Console(file=sys.stderr, markup=False, emoji=False, highlight=False, soft_wrap=False)
