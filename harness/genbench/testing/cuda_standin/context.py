"""The one GPU, and whether its context is still alive: a device-side assertion ends it for the whole process."""

from __future__ import annotations

import os

import torch

GPU = torch.device("cuda", 0)
_dead = False


def device_count() -> int:
    """Return 1, or 0 where CUDA_VISIBLE_DEVICES hides the one GPU."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    first = "0" if visible is None else visible.split(",")[0].strip()
    return int(first == "0" or first.startswith("GPU-"))


def kill() -> None:
    """End the context: every later call of CUDA fails."""
    global _dead
    _dead = True


def check_alive() -> None:
    """Raise what CUDA raises once an assertion on the device has failed."""
    if _dead:
        error = getattr(torch, "AcceleratorError", RuntimeError)  # younger than torch 2.6
        raise error(
            "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported at some "
            "other API call, so the stacktrace below might be incorrect."
        )
