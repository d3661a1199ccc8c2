"""What torch needs and cannot complain of: where it is missing, the process would be broken off in compiled code."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

LEAST_MIB = 4096
"""Address space that torch is imported and works in."""

USE_TORCH = ("run", "tune", "evaluate", "figures", "response", "calibrate", "check")


def lacking(arguments: Sequence[str]) -> str:
    """Return what a command lacks that uses torch, and what to do, or ""."""
    if not arguments or arguments[0] not in USE_TORCH or {"-h", "--help"} & set(arguments):
        return ""
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the working folder is gone; change to one that is there (cd)"
    bound = resource.getrlimit(resource.RLIMIT_AS)[0]
    if bound != resource.RLIM_INFINITY and bound >> 20 < LEAST_MIB:
        least = LEAST_MIB << 10
        return f"{bound >> 20:,} MiB of address space are too few; raise the bound (ulimit -v) to {least} or more"
    return ""
