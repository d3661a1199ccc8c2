"""Paths as arguments of commands."""

from __future__ import annotations

from pathlib import Path

import click


def path(text: str) -> Path:
    """Return the path of a text. An empty one, as from a variable that is not set, would be the working folder."""
    if not str(text).strip():
        raise click.BadParameter(f"{text!r} is empty; expected a path")
    return Path(text)
