"""Ctrl-C once: save, and stop. Twice: stop at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class StopRequest:
    """Whether, and by which signal, the run was asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Return whether the run is to stop."""
        return self.signal is not None


@contextlib.contextmanager
def stoppable(on_request: Callable[[], None]) -> Iterator[StopRequest]:
    """Yield the request to stop, which the first SIGINT or SIGTERM makes; `on_request` is called then.

    The second raises KeyboardInterrupt at once. Outside the main thread signals are left alone.
    """
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request():
            raise KeyboardInterrupt
        request.signal = number
        on_request()

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
