"""Ctrl-C once: save, and stop. Twice: stop at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Wish:
    """Whether, and by which signal, the run was asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Return whether the run is to stop."""
        return self.signal is not None


@contextlib.contextmanager
def stoppable(told: Callable[[], None]) -> Iterator[Wish]:
    """Yield the wish to stop, which the first SIGINT or SIGTERM makes; `told` is called then.

    The second raises KeyboardInterrupt at once. Outside the main thread signals are left alone.
    """
    wish = Wish()

    def ask(number: int, frame: FrameType | None) -> None:
        if wish():
            raise KeyboardInterrupt
        wish.signal = number
        told()

    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
