"""What processes that were killed left of a file: known by name, and by an age that no writer reaches."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

AGE = 24 * 3600.0
"""Seconds untouched after which what is unfinished belongs to nobody that still lives."""

ASIDE = r"\.\d+\.[0-9a-f]{8}"


def is_aside(path: Path) -> bool:
    """Return whether a path is what `files.replacing` writes to: left by a killed process, if none is writing."""
    return re.fullmatch(r"\..+" + ASIDE, path.name) is not None


def remove(folder: Path, stem: str) -> None:
    """Remove the old plain files whose names begin with `stem` and end as `files.replacing` ends them."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # who may not list it may still write in it
        for entry in entries:
            if re.fullmatch(re.escape(stem) + ASIDE, entry.name) and entry.is_file(follow_symlinks=False):
                _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):  # another process may have done so, or the file be another user's
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > AGE:
            os.unlink(entry.path)
