"""Waiting for a state, never for a time."""

import time
from collections.abc import Callable
from typing import Any


def wait_for(condition: Callable[[], Any], seconds: float = 300) -> Any:
    """Return what a condition comes to once it is true; the bound is for a run that is stuck, not for a slow one."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found
