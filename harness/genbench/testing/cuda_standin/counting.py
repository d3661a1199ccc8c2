"""Counts what a GPU would be asked to do: kernels, and waits of the host for it, by operation and by line."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType

NOT_CALLERS = ("torch", __name__.rpartition(".")[0])


class Counts:
    """What was counted since the last reset, while `on`.

    kernels are counted by operation, operations that only view or allocate excepted; where counts the same kernels by
    the line that asked for them ("package.module:line"). syncs counts by operation and line ("aten::nonzero at
    package.module:line") what makes the host wait: values read, results of unknown size, copies from one to the other.
    """

    def __init__(self) -> None:
        self.on = False
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.kernels: Counter[str] = Counter()
        self.syncs: Counter[str] = Counter()
        self.where: Counter[str] = Counter()

    def kernel(self, name: str) -> None:
        """Count a kernel."""
        if self.on:
            self.kernels[name] += 1
            self.where[_caller()] += 1

    def sync(self, name: str) -> None:
        """Count a wait of the host."""
        if self.on:
            self.syncs[f"{name} at {_caller()}"] += 1


def _caller() -> str:
    """Return the line outside torch and the stand-in that led here."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "?")
        if not any(name == package or name.startswith(f"{package}.") for package in NOT_CALLERS):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"


counts = Counts()
