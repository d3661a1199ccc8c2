"""What the stand-in itself cannot do, as an exception of its own: CUDA may well be able to."""

from __future__ import annotations


class StandInLimit(NotImplementedError):
    """An operation that the stand-in for CUDA cannot carry; it says nothing of how a real GPU would do."""
