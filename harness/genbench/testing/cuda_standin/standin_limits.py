"""What the stand-in itself cannot do, as an exception of its own: CUDA may well be able to."""

from __future__ import annotations


class StandInLimit(NotImplementedError):
    """An operation that the stand-in for CUDA cannot carry; it says nothing of how a real GPU would do."""


TRUE_DRIVER = ("NVIDIA driver", "not compiled with CUDA")
"""What torch says where something passes the stand-in by, as another thread does, and asks for a true GPU."""


def limit_behind(error: BaseException) -> str:
    """Return what the stand-in could not carry where an error, or one behind it, comes of that; else ""."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, StandInLimit):
            return str(behind)
        if any(words in str(behind) for words in TRUE_DRIVER):
            return f"the stand-in for CUDA was passed by: {str(behind).partition('.')[0]}"
        behind = behind.__cause__ or behind.__context__
    return ""
