"""Who is at work in a trial's folder: one process at a time, and everyone can see which."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from genbench import files, waiting
from genbench.errors import GenbenchError, StoreError, printable

LOCK, HOLDER = ".lock", ".holder"


class Busy(GenbenchError):
    """Another process holds the folder's lock."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder's lock. Raises Busy where another process does, StoreError where the folder cannot be written.

    The lock is the operating system's own (flock): it ends with the process that holds it, however that ends. It saves
    work, and carries no correctness: what two processes commit is the same, and each commit is whole.
    """
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.check_plain(folder / LOCK, in_place=True)
        lock = FileLock(folder / LOCK, fallback_to_soft=False)  # a soft lock would outlive its process
        lock.acquire(timeout=0)
    except Timeout as error:
        raise Busy(f"{printable(folder)} is held by {holder(folder) or 'another process'}") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or folder
        raise StoreError(f"cannot write to {printable(where)}: {reason}. Give another --results") from error
    try:
        with waiting.signed(folder / HOLDER):
            yield
    finally:
        lock.release()


def holder(folder: Path) -> str:
    """Return who holds a folder's lock, in words, or "" where nobody says so. May name a process that is dead."""
    return waiting.holder(folder / HOLDER)


def is_held(folder: Path) -> bool:
    """Return whether a live process holds a folder's lock; takes it for a moment to see, and writes nothing."""
    with contextlib.suppress(OSError), files.opened(folder / LOCK, follow=False) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
