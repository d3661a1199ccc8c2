"""What CUDA refuses and the CPU does not, with the words that torch has for it."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

import torch
from torch import Tensor

from genbench.testing.cuda_standin.calls import Call
from genbench.testing.cuda_standin.generators import is_on_gpu
from genbench.testing.cuda_standin.tensors import GPUTensor

aten = torch.ops.aten

INDEXED = (
    aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default,
    aten._unsafe_index.Tensor, aten._unsafe_index_put.default,
)  # fmt: skip
"""Operators whose indices, the second argument, may lie on the CPU."""

TAKE_SCALARS = {"aten::where", "aten::masked_fill_", "aten::masked_fill", "aten::fill_", "aten::fill"}
"""Operators that are not pointwise by their tag, and take a number in a tensor on the CPU as pointwise ones do."""

PRODUCTS = {
    "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::mv", "aten::addmv", "aten::dot", "aten::addbmm",
    "aten::addmm_", "aten::baddbmm_", "aten::addmv_", "aten::linear", "aten::_addmm_activation", "aten::vdot",
}  # fmt: skip
"""What cuBLAS does."""

NOT_DETERMINISTIC = {
    "aten::_adaptive_avg_pool2d_backward", "aten::_adaptive_avg_pool3d_backward", "aten::adaptive_max_pool2d_backward",
    "aten::avg_pool3d_backward", "aten::fractional_max_pool2d_backward", "aten::fractional_max_pool3d_backward",
    "aten::max_unpool2d", "aten::max_unpool3d", "aten::upsample_linear1d_backward", "aten::histc", "aten::put_",
    "aten::upsample_bilinear2d_backward", "aten::upsample_bicubic2d_backward", "aten::upsample_trilinear3d_backward",
    "aten::reflection_pad1d_backward", "aten::reflection_pad2d_backward", "aten::reflection_pad3d_backward",
    "aten::nll_loss2d_forward", "aten::_ctc_loss_backward", "aten::grid_sampler_2d_backward", "aten::kthvalue",
    "aten::grid_sampler_3d_backward",
}  # fmt: skip
"""Operators without a deterministic form on CUDA, after the docstring of `torch.use_deterministic_algorithms`."""

FUSED = {"aten::_fused_adam_": 4, "aten::_fused_adamw_": 4, "aten::_fused_sgd_": 3, "aten::_fused_adagrad_": 3}
"""Fused optimisers, and how many of their first arguments are lists that must match."""

ASSERTED = re.compile(
    r"out of bounds|out of range in self|tried to access index|probability tensor contains|should be between 0 and 1"
)
"""What the CPU says of values that on the GPU fail an assertion within a kernel."""

_cublas_is_set: bool | None = None


def check(call: Call) -> None:
    """Raise what CUDA raises before it runs a call."""
    _check_generator(call)
    _check_devices(call)
    if call.name in PRODUCTS and call.gpu:
        _check_product(call)
    if torch.are_deterministic_algorithms_enabled() and call.gpu and not _is_deterministic(call):
        _alert(
            f"{call.name} does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'."
        )
    if call.name in FUSED and call.gpu:
        _check_fused(call)


def _check_generator(call: Call) -> None:
    given = call.generator
    if given is not None and is_on_gpu(given) != call.to_gpu:
        expected, found = ("cuda", "cpu") if call.to_gpu else ("cpu", "cuda")
        raise RuntimeError(f"Expected a '{expected}' device type for generator but found '{found}' (in {call.name})")


def _check_devices(call: Call) -> None:
    if not (call.gpu and call.cpu):
        return
    if call.func in INDEXED:
        _check_indexed(call.args)
    elif not _takes_scalars(call):
        shapes = [[tuple(t.shape) for t in tensors] for tensors in (call.gpu.values(), call.cpu)]
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
            f"(in {call.name}: of shapes {shapes[0]} on cuda:0, {shapes[1]} on cpu)"
        )


def _check_indexed(args: tuple[Any, ...]) -> None:
    """Indices, and a number that is put, may lie on the CPU; those of the GPU do not fit a tensor on the CPU."""
    put = [value for value in args[2:] if isinstance(value, Tensor)]
    if not isinstance(args[0], GPUTensor) or any(not isinstance(v, GPUTensor) and v.dim() for v in put):
        raise RuntimeError(
            f"indices should be either on cpu or on the same device as the indexed tensor ({args[0].device})"
        )


def _takes_scalars(call: Call) -> bool:
    """Return whether all that lies on the CPU are numbers, which a pointwise operator takes from anywhere."""
    writes_to_cpu = call.name.endswith("_") and call.args and call.args[0] is call.cpu[0]
    pointwise = call.operator.is_pointwise or call.name in TAKE_SCALARS
    return pointwise and not writes_to_cpu and all(tensor.dim() == 0 for tensor in call.cpu)


def _check_product(call: Call) -> None:
    global _cublas_is_set
    dtype = next(iter(call.gpu.values())).dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise NotImplementedError(f'"{call.name.removeprefix("aten::")}_cuda" not implemented for {str(dtype)!r}')
    if _cublas_is_set is None:  # as in C++: looked up once, at the first product
        _cublas_is_set = os.environ.get("CUBLAS_WORKSPACE_CONFIG") in (":4096:8", ":16:8")
    if torch.are_deterministic_algorithms_enabled() and not _cublas_is_set:
        _alert(
            "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or "
            "`at::Context::setDeterministicAlgorithms(true)`, but this operation is not deterministic because it uses "
            "CuBLAS and you have CUDA >= 10.2. To enable deterministic behavior in this case, you must set an "
            "environment variable before running your PyTorch application: CUBLAS_WORKSPACE_CONFIG=:4096:8"
        )


def _is_deterministic(call: Call) -> bool:
    given = [*call.args, *call.kwargs.values()]
    match call.name:
        case "aten::bincount":
            return not any(isinstance(value, Tensor) for value in given[1:])  # weights
        case "aten::median" | "aten::nanmedian":
            return len(given) == 1  # without a dimension it gives no indices
        case "aten::scatter_reduce" | "aten::scatter_reduce_":
            return "prod" not in [value for value in given if isinstance(value, str)]
        case "aten::cumsum" | "aten::cumsum_":
            return _cumsum_is_deterministic() or not call.args[0].is_floating_point()
    return call.name not in NOT_DETERMINISTIC


def _cumsum_is_deterministic() -> bool:
    """Return whether this torch has a deterministic form of it, as its documentation says: torch 2.6 has none."""
    never = (torch.use_deterministic_algorithms.__doc__ or "").partition("nondeterministic operations will throw")[2]
    return "torch.cumsum" not in never


def _alert(text: str) -> None:
    if not torch.is_deterministic_algorithms_warn_only_enabled():
        raise RuntimeError(text)
    warnings.warn(text, UserWarning, stacklevel=2)


def _check_fused(call: Call) -> None:
    lists = [tensors for tensors in call.args[: FUSED[call.name]] if tensors]
    for matching in zip(*lists, strict=True):
        if len({(tensor.shape, tensor.stride(), tensor.dtype) for tensor in matching}) > 1:
            layouts = [(tuple(tensor.shape), tensor.stride(), tensor.dtype) for tensor in matching]
            raise RuntimeError(
                f"params, grads and the optimiser's states must have same dtype, device, and layout (in {call.name}: "
                f"{layouts})"
            )
