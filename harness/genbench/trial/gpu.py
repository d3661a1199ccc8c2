"""What a GPU does to the process that uses it: its memory, shared with others, and errors that outlive their cause."""

from __future__ import annotations

import torch

MEMORY_WORDS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""What CUDA's libraries say when no memory is left, in errors that have no type of their own."""

NEGLIGIBLE = 1 << 30
"""Bytes of others on a GPU that no trial runs out of memory for: the driver's own, and what contexts take."""


def take_share(device: torch.device, share: float) -> None:
    """Bound what this process takes of a GPU's memory to a part of it."""
    if device.type == "cuda" and share < 1:
        torch.cuda.set_per_process_memory_fraction(share, _number(device))


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done what it was given. Raises RuntimeError for an error in that."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def is_usable(device: torch.device) -> bool:
    """Return whether a device still works in this process: a failed assertion in a kernel makes a GPU useless to it."""
    try:
        wait_for(device)
    except RuntimeError:
        return False
    return True


def is_out_of_gpu_memory(error: BaseException) -> bool:
    """Return whether an error says that a GPU's memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in MEMORY_WORDS)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on the CPU or the GPU."""
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) or is_out_of_gpu_memory(error)


def memory_of_others(device: torch.device) -> int:
    """Return the bytes of a GPU's memory that other processes hold, or 0 where these are few or it does not say."""
    if device.type != "cuda":
        return 0
    try:
        free, total = torch.cuda.mem_get_info(device)
        others = total - free - torch.cuda.memory_reserved(device)
    except RuntimeError:
        return 0
    return others if others > NEGLIGIBLE else 0


def _number(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index
