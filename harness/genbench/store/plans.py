"""What runs that are under way have yet to do, kept in the results folder as long as their processes live."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from genbench import files
from genbench.errors import GenbenchError
from genbench.store import locks

PLANS = ".plans"
TRIAL = re.compile(r"[0-9a-f]{12}")
"""A trial that is ahead: a file by its id, which holds its name."""

LEFT = "left"
"""The folder of what was left to a queue: it counts without a process that holds it."""

LONGEST = 1000
BEGINNING = 60.0
"""Seconds within which a folder that nobody holds may be that of a run which is about to take it."""


@contextlib.contextmanager
def announced(root: Path, trials: Mapping[str, str]) -> Iterator[Callable[[str], None]]:
    """Tell, as long as this lasts, what a run is to do: trials by id, with their names.

    Yields what is to be called with the id of each trial that is over.
    """
    folder = root / PLANS / secrets.token_hex(8)
    _forget_dead(folder.parent)
    for trial in trials:  # it is this run's now
        _is_over(folder.parent / LEFT / trial)
    try:
        with contextlib.ExitStack() as held:
            with contextlib.suppress(GenbenchError, OSError):  # a courtesy: a run that cannot write it can still work
                held.enter_context(locks.held(folder))
                for trial, name in trials.items():
                    (folder / trial).write_text(name, encoding="utf-8", errors="replace")
            yield lambda trial: _is_over(folder / trial)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()


def leave(root: Path, trials: Mapping[str, str]) -> None:
    """Tell what was left to a queue, and goes on without a process here: trials by id, with their names."""
    folder = root / PLANS / LEFT
    with contextlib.suppress(OSError):  # a courtesy, as above
        if trials:
            folder.mkdir(parents=True, exist_ok=True)
        for trial, name in trials.items():
            (folder / trial).write_text(name, encoding="utf-8", errors="replace")


def _is_over(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _forget_dead(plans: Path) -> None:
    """Remove what runs announced whose processes ended without removing it."""
    for folder in plans.glob("*"):
        if not folder.is_symlink() and not _counts(folder) and not _may_be_beginning(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _counts(folder: Path) -> bool:
    """Return whether what a folder announces is still to be done."""
    return locks.is_held(folder) or (folder.name == LEFT and bool(_trials(folder)))


def _may_be_beginning(folder: Path) -> bool:
    """Return whether a folder that nobody holds has no trial yet, and is new."""
    try:
        return folder.name != LEFT and not _trials(folder) and time.time() - folder.stat().st_mtime < BEGINNING
    except OSError:
        return True


def _trials(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if TRIAL.fullmatch(path.name))


def planned(root: Path) -> dict[str, str]:
    """Return the trials that live runs have yet to finish, by id, with their names: anyone may have written these."""
    found: dict[str, str] = {}
    for folder in sorted((root / PLANS).glob("*")):
        if not folder.is_symlink() and _counts(folder):
            for path in _trials(folder):
                with contextlib.suppress(GenbenchError, OSError):
                    found[path.name] = files.read_plain(path, LONGEST).decode("utf-8", "replace")
    return found
