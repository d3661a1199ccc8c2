"""stdout and stderr made to take any text in any locale, and to be there also where they were closed."""

from __future__ import annotations

import codecs
import io
import os
import sys

PLAIN = str.maketrans({"─": "-", "·": ".", "±": "~", "…": ".", "×": "x"})
"""What stands for the characters of our tables where only ASCII can be written; each as wide as what it replaces."""


def prepare_streams() -> None:
    """Make printing safe: no character and no closed stream ends a run."""
    codecs.register_error("genbench", _plainly)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us; a file opened later would else get its number
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="genbench")


def drop_unwritable() -> None:
    """Let go nowhere what cannot be written any more, or Python complains when it flushes the buffers at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Replace what a stream cannot encode by something of the same width."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return "".join(c if c.isascii() else "?" for c in text), error.end
