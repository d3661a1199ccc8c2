"""Puts the stand-in beneath `torch.cuda`: its own Python runs, down to what it would ask the driver."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import torch.optim.optimizer as optimisers
from torch import Tensor

from genbench.testing.cuda_standin import context
from genbench.testing.cuda_standin.counting import counts
from genbench.testing.cuda_standin.generators import Generator
from genbench.testing.cuda_standin.memory import memory
from genbench.testing.cuda_standin.operations import Mode
from genbench.testing.cuda_standin.standin_limits import StandInLimit
from genbench.testing.cuda_standin.tensors import GPUTensor

_C: Any = torch._C
_Tensor: Any = Tensor
_installed = False


def install() -> None:
    """Make torch believe in one GPU, for the thread that calls, and for as long as the process lives.

    Call it directly after torch is imported: what was taken out of torch before, such as torch.Generator, is torch's.
    """
    global _installed
    if _installed:
        return
    _installed = True
    torch.Generator = Generator  # type: ignore[misc]
    _Tensor.data = property(_Tensor.data.__get__, _set_data)
    _replace_driver()
    _replace_torch_cuda()
    _replace_unknown()
    optimisers._foreach_supported_types.append(GPUTensor)  # they would loop over the parameters one by one
    for name, arguments in (("_ensureCUDADeviceGuardSet", ()), ("_set_only_lift_cpu_tensors", (True,))):
        if hasattr(_C, name):  # "cuda" can be completed to cuda:0; torch.tensor(..., device="cuda") comes by here
            getattr(_C, name)(*arguments)
    Mode().__enter__()  # type: ignore[no-untyped-call]


def _set_data(tensor: Tensor, new: Tensor) -> None:
    if isinstance(new, GPUTensor):
        raise StandInLimit("the stand-in for CUDA cannot turn a tensor on the CPU into one on the GPU by .data")
    _C.TensorBase.data.__set__(tensor, new)


def _replace_driver() -> None:
    lowest = {
        "_cuda_init": _init,
        "_cuda_getDeviceCount": context.device_count,
        "_cuda_getDevice": lambda: 0,
        "_cuda_setDevice": _set_device,
        "_cuda_synchronize": _synchronize,
        "_cuda_emptyCache": lambda: None,
        "_cuda_ipc_collect": lambda: None,
        "_cuda_memoryStats": _memory_stats,
        "_cuda_resetPeakMemoryStats": _reset_peak,
        "_cuda_setMemoryFraction": _set_fraction,
        "_cuda_getMemoryFraction": lambda device: 1.0 if memory.limit is None else memory.limit / memory.total,
        "_cuda_set_sync_debug_mode": lambda mode: None,
    }
    for name, function in lowest.items():
        setattr(_C, name, function)


def _replace_torch_cuda() -> None:
    cuda: Any = torch.cuda
    cuda._queued_calls.clear()  # looks at the true devices
    cuda._get_device_properties = _properties
    cuda._cudart = SimpleNamespace(cudaMemGetInfo=lambda device: (memory.free, memory.total))
    cuda._exchange_device = cuda._maybe_exchange_device = lambda device: 0
    cuda.is_current_stream_capturing = cuda.graphs.is_current_stream_capturing = lambda: False
    cudnn: Any = torch.backends.cudnn
    cudnn.is_acceptable = lambda tensor: False


def _replace_unknown() -> None:
    """Let what the stand-in has nothing of say so, where torch would ask the driver."""
    for name in ("Stream", "Event", "CUDAGraph", "current_stream", "default_stream"):
        setattr(torch.cuda, name, _Unknown(f"torch.cuda.{name}"))


class _Unknown:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise StandInLimit(f"the stand-in for CUDA has no {self.name}")


def _init() -> None:
    if not context.device_count():
        raise RuntimeError("No CUDA GPUs are available")
    torch.cuda.default_generators = (Generator("cuda").manual_seed(0),)


def _properties(device: Any) -> Any:
    size = memory.total
    return SimpleNamespace(
        name="stand-in for a GPU", major=9, minor=0, multi_processor_count=132, total_memory=size, warp_size=32
    )


def _set_device(number: int) -> None:
    torch.cuda.init()  # type: ignore[no-untyped-call]
    context.check_alive()
    if number >= context.device_count():
        raise RuntimeError("CUDA error: invalid device ordinal")


def _synchronize() -> None:
    counts.sync("synchronize")
    context.check_alive()


def _memory_stats(number: int) -> dict[str, Any]:
    statistics = {"all": {"current": memory.now, "peak": memory.peak}}
    return {"allocated_bytes": statistics, "reserved_bytes": statistics}


def _reset_peak(number: int) -> None:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        raise RuntimeError(f"Invalid device argument {number}: did you call init?")
    memory.peak = memory.now


def _set_fraction(fraction: float, number: int) -> None:
    memory.limit = int(fraction * memory.total)
