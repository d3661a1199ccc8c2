"""Waiting for a state, never for a time."""

import signal
import subprocess
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


def interrupted_twice(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C, and again once the run says what that does; return what it said then, until it ended."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Ctrl-C again stops at once" not in (line := process.stderr.readline()):
        assert line, "it ended when it was asked once"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in said
    return said
