"""How trials share the GPUs of a machine: how many at once on each, and the part of its memory that each may take."""

from __future__ import annotations

import math
import os

MOST = 5
"""Trials on one GPU at most by default: small networks wait for kernels to be launched, so that several fit."""

EACH = 8 << 30
"""Bytes of a GPU's memory that each trial has at least, where several share it by default."""


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; one that is set is honoured.

    Only the names that CUDA accepts count: it stops at the first one it does not know.
    """
    import torch

    given, count = os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count()
    if given is None:
        return [str(number) for number in range(count)]
    names = [name.strip() for name in given.split(",") if name.strip()]
    return names[:count] if count else names


def gpus_of(device: str) -> list[str]:
    """Return the visible GPUs that trials on a device are spread over: cuda (all of them) or cuda:N; [] on the CPU."""
    if not device.startswith("cuda"):
        return []
    gpus, number = visible_gpus(), device.partition(":")[2]
    return [gpus[int(number)]] if number else gpus


def default_per_gpu(device: str, threads: int, is_timed: bool) -> int:
    """Return how many trials share a GPU unless asked otherwise.

    As many as it has 8 GiB for and the machine has cores for, at most 5; one alone where a budget counts seconds, in
    which trials that share a GPU would come less far.
    """
    if is_timed:
        return 1
    import torch

    count = max(1, len(gpus_of(device)))
    numbers = [int(device.partition(":")[2])] if ":" in device else range(torch.cuda.device_count())
    memory = min((torch.cuda.get_device_properties(number).total_memory for number in numbers), default=0)
    cores = len(os.sched_getaffinity(0)) // (threads * count)
    return max(1, min(MOST, memory // EACH, cores))


def share(device: str, jobs: int) -> float:
    """Return the part of a GPU that each of so many trials at once has; 0 on the CPU."""
    gpus = gpus_of(device)
    return 1 / math.ceil(jobs / len(gpus)) if gpus else 0.0
