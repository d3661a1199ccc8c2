"""Locks between processes: who holds one signs beside it, and who waits for one says so, and stops when asked to."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from genbench import files
from genbench.errors import Interrupted, StoreError, printable

SILENT = 1.0
"""Seconds that are waited in silence."""

TICK = 0.05
"""Seconds after which a lock that was held is tried again."""

LONGEST = 600.0
"""Seconds that are waited for a lock that saves work, before the work is done a second time."""


# Whom a wait reports to, and who may end it ---------------------------------------------------------------------------


def _to_stderr(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody may be reading
        print(f"genbench: {message}", file=sys.stderr, flush=True)


_listeners: list[tuple[Callable[[], bool], Callable[[str], None]]] = [(lambda: False, _to_stderr)]


@contextlib.contextmanager
def reporting_to(stop: Callable[[], bool], report: Callable[[str], None]) -> Iterator[None]:
    """Let all waits inside ask `stop` whether to end, and pass what they wait for to `report`."""
    _listeners.append((stop, report))
    try:
        yield
    finally:
        _listeners.pop()


# Locks ---------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def saving_work(path: Path) -> Iterator[None]:
    """Hold a lock that saves work and carries no correctness: where it cannot be had, go on without it.

    A wait of more than a second is reported, with who holds the lock. Raises Interrupted when asked to stop meanwhile.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError, NotImplementedError):
            _wait(path, held)
        yield


def _wait(path: Path, held: contextlib.ExitStack) -> None:
    """Take a lock, as soon as it can be had, and sign it until `held` ends."""
    from filelock import FileLock, Timeout

    files.check_plain(path, in_place=True)
    stop, report = _listeners[-1]
    began, is_reported = time.monotonic(), False
    while True:
        with contextlib.suppress(Timeout):
            held.enter_context(FileLock(path, timeout=0))
            held.enter_context(signed(path.with_suffix(".holder")))
            return
        if stop():
            raise Interrupted(f"stopped while it waited for {printable(path)}")
        waited = time.monotonic() - began
        if waited >= SILENT and not is_reported:
            report(f"waits for {printable(path)}, held by {holder(path.with_suffix('.holder')) or 'another process'}")
            is_reported = True
        if waited > LONGEST:
            return
        time.sleep(TICK)


@contextlib.contextmanager
def signed(path: Path) -> Iterator[None]:
    """Say in a file, as long as this lasts, who this process is."""
    signature = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
    with contextlib.ExitStack() as afterwards:
        with contextlib.suppress(StoreError):  # a courtesy: who cannot sign can still work
            files.write_text(path, json.dumps(signature), sync=False)
            afterwards.callback(_unlink, path)
        yield


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def holder(path: Path) -> str:
    """Return who signed a file, in words, or "" where nobody did. May name a process that is dead."""
    try:
        signature = json.loads(files.read_text(path, follow=False))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(signature["since"]))
        return printable(f"process {signature['pid']} on {signature['host']} since {since}")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return ""
