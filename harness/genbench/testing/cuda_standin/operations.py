"""What every operator passes through: refused as CUDA would refuse it, counted, and performed on the CPU."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from genbench.testing.cuda_standin import context, refusals
from genbench.testing.cuda_standin.calls import Call
from genbench.testing.cuda_standin.counting import counts
from genbench.testing.cuda_standin.generators import GlobalDraws
from genbench.testing.cuda_standin.standin_limits import StandInLimit
from genbench.testing.cuda_standin.tensors import GPUTensor, unwrapped, wrapped

_C: Any = torch._C

COPIES = {"aten::copy_", "aten::_to_copy", "aten::copy", "aten::_copy_from", "aten::_foreach_copy_"}
"""Operators that may have tensors of both devices."""

SYNCS = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::bincount",
    "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::is_nonzero", "aten::repeat_interleave",
    "aten::_linalg_eigh", "aten::_linalg_svd", "aten::allclose",
}  # fmt: skip
"""Operators whose result, or its size, the host waits for."""

NO_KERNEL = {
    "aten::empty", "aten::empty_strided", "aten::empty_like", "aten::new_empty", "aten::detach", "aten::alias",
    "aten::lift_fresh", "aten::_local_scalar_dense", "aten::new_empty_strided", "aten::_reshape_alias", "aten::detach_",
    "aten::_unsafe_view", "aten::lift",
}  # fmt: skip
"""Operators that are no views by their signature, and start no kernel."""


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every call of an operator, those of backward too, in the thread that has entered it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return perform(func, args, kwargs or {})

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the first call imports torch's compiler, which takes 2 s


def perform(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Perform a call of an operator. Raises what CUDA raises, and StandInLimit."""
    call = Call(func, args, kwargs)
    if not call.touches_gpu:
        refusals.check(call)
        return func(*args, **kwargs)
    _check_limits(call)
    context.check_alive()
    if call.name not in COPIES:
        refusals.check(call)
    _count(call)
    if call.operator.changes_shape:
        with _C._DisableTorchDispatch():
            func(*args, **kwargs)  # the wrapper's own shape: "meta" has a kernel for that
    found = _on_cpu(call)
    return wrapped(found, call.known) if call.to_gpu else found


GPUTensor.perform = staticmethod(perform)


def _check_limits(call: Call) -> None:
    if call.requested_device is not None and call.requested_device.type not in ("cpu", "cuda", "meta"):
        raise StandInLimit(f"the stand-in for CUDA knows no device {call.requested_device}")
    if any(tensor.is_meta for tensor in call.cpu):
        raise StandInLimit(f'the stand-in for CUDA lost values in {call.name}: C++ made a tensor on "meta"')


def _on_cpu(call: Call) -> Any:
    """Return what a call returns on the CPU."""
    args, kwargs = unwrapped(call.args), {name: unwrapped(value) for name, value in call.kwargs.items()}
    if call.requested_device is not None:
        kwargs["device"] = torch.device("cpu")
    draws = call.operator.is_random and call.to_gpu and call.generator is None
    try:
        with GlobalDraws() if draws else contextlib.nullcontext():
            return call.func(*args, **kwargs)
    except (IndexError, RuntimeError) as error:
        _translate(call, error)
        raise


def _translate(call: Call, error: Exception) -> None:
    """Raise what the GPU or the stand-in has to say where the CPU refuses; return where both refuse alike."""
    if call.gpu and refusals.ASSERTED.search(str(error)):
        context.kill()
        context.check_alive()
    if isinstance(error, NotImplementedError) or "not implemented for" in str(error):
        raise StandInLimit(f"the stand-in for CUDA has no {call.name}: {str(error).partition(chr(10))[0]}") from error


def _count(call: Call) -> None:
    if not counts.on:
        return
    if call.name in COPIES and _crosses(call):
        counts.sync(f"copy to the {'GPU' if _lands_on_gpu(call) else 'host'}")
        return
    if call.name in SYNCS or (call.name == "aten::index" and any(_is_mask(index) for index in call.args[1])):
        counts.sync(call.name)
    if call.func in refusals.INDEXED and call.cpu:
        counts.sync("copy of indices to the GPU")
    if not call.operator.is_view and call.name not in NO_KERNEL:
        counts.kernel(call.name)


def _crosses(call: Call) -> bool:
    return bool(call.cpu) or not call.to_gpu


def _lands_on_gpu(call: Call) -> bool:
    return call.to_gpu if call.requested_device is not None else isinstance(call.args[0], GPUTensor)


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype == torch.bool
