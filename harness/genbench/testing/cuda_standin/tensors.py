"""Tensors on the GPU: Python sees them on cuda:0, C++ on "meta", and their values lie in a tensor on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from genbench.testing.cuda_standin.context import GPU
from genbench.testing.cuda_standin.memory import Held, memory
from genbench.testing.cuda_standin.standin_limits import StandInLimit

_C: Any = torch._C
META = torch.device("meta")


class GPUTensor(Tensor):
    """A tensor on cuda:0. For C++ it is on "meta": autograd runs as ever, and no kernel can run by mistake."""

    __slots__ = ("held", "raw")
    __torch_function__ = _C._disabled_torch_function_impl
    perform: ClassVar[Callable[..., Any]]
    """What performs an operator; set by `operations`."""

    raw: Tensor
    held: Held

    @staticmethod
    def __new__(cls: type[GPUTensor], raw: Tensor) -> GPUTensor:
        if raw.layout is not torch.strided:
            raise StandInLimit(f"the stand-in for CUDA has no {raw.layout} tensors")
        held = memory.hold(raw.untyped_storage())
        like: dict[str, Any] = {"strides": raw.stride(), "storage_offset": raw.storage_offset()}
        self: GPUTensor = cls._make_wrapper_subclass(cls, raw.shape, **like, dtype=raw.dtype, device=META)
        self.raw, self.held = raw, held
        return self

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return cls.perform(func, args, kwargs or {})

    # What Python sees

    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)
    is_meta = property(lambda self: False)

    def get_device(self) -> int:
        return 0

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"GPUTensor({self.raw!r})"

    # What C++ would look for where there are no values

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        return self.detach().cpu().numpy() if force else _refuse_numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        _refuse_numpy()

    def data_ptr(self) -> int:
        return self.raw.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.raw.untyped_storage()

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_on_gpu(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_on_gpu(key), value)

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, new: Tensor) -> None:
        if not isinstance(new, GPUTensor):
            raise StandInLimit("the stand-in for CUDA cannot turn a tensor on the GPU into one on the CPU by .data")
        _C.TensorBase.data.__set__(self, new)
        self.raw, self.held = new.raw, new.held

    # What would make a tensor on "meta", or copy where nothing is to be done

    def to(self, *args: Any, **kwargs: Any) -> Any:
        placement = {name: value for name, value in kwargs.items() if name != "copy"}
        device, dtype, _, memory_format = _C._nn._parse_to(*args, **placement)
        stays = (device is None or device.type != "cpu") and dtype in (None, self.dtype) and memory_format is None
        return self if stays and not kwargs.get("copy") else super().to(*args, **kwargs)

    def resize_(self, *shape: Any, **_: Any) -> Tensor:
        if torch.Size(shape if isinstance(shape[0], int) else shape[0]) != self.shape:
            raise StandInLimit("the stand-in for CUDA cannot resize a tensor in place")
        return self

    def cuda(self, *_: Any, **__: Any) -> Tensor:
        return self

    def new_tensor(self, data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # type: ignore[override]
        return torch.tensor(data, dtype=dtype or self.dtype, device=device or GPU, requires_grad=requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("Only Tensors created explicitly by the user support the deepcopy protocol")
        memo[id(self)] = copied = GPUTensor(self.raw.clone()).requires_grad_(self.requires_grad)
        copied.__dict__.update(self.__dict__)
        copied.grad = copy.deepcopy(self.grad, memo)
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise StandInLimit("the stand-in for CUDA cannot pickle a tensor on the GPU; move it to the CPU first")


def _refuse_numpy() -> NoReturn:
    raise TypeError(
        "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
    )


def _on_gpu(key: Any) -> Any:
    """Return an index with its lists and arrays as tensors: C++ would make them on "meta", without values."""
    if isinstance(key, tuple):
        return tuple(_on_gpu(part) for part in key)
    is_array = not isinstance(key, Tensor) and getattr(key, "ndim", 0) > 0
    return torch.tensor(key, device=GPU) if is_array or isinstance(key, list | range) else key


def unwrapped(value: Any) -> Any:
    """Return a value with the CPU's tensors in place of the GPU's."""
    if isinstance(value, GPUTensor):
        return value.raw
    return type(value)(unwrapped(item) for item in value) if isinstance(value, list | tuple) else value


def wrapped(value: Any, known: Mapping[int, Tensor]) -> Any:
    """Return what an operator returned as tensors on the GPU: those known, that were written in place, or new ones."""
    if isinstance(value, Tensor) and not isinstance(value, GPUTensor):
        before = known.get(id(value))
        return GPUTensor(value) if before is None else before
    return type(value)(wrapped(item, known) for item in value) if isinstance(value, list | tuple) else value
