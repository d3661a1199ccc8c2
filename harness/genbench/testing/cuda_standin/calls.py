"""A call of an operator: what is known of the operator, which tensors lie where, and where the result is to lie."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from genbench.testing.cuda_standin import context
from genbench.testing.cuda_standin.tensors import GPUTensor


class Operator:
    """What is known of an operator once and for all."""

    def __init__(self, func: Any) -> None:
        schema = func._schema
        arguments = {argument.name: place for place, argument in enumerate(schema.arguments)}
        self.name: str = schema.name
        self.generator: int | None = arguments.get("generator")
        self.takes_device = "device" in arguments
        self.is_view = any(a.alias_info is not None and not a.alias_info.is_write for a in schema.arguments)
        self.is_random = torch.Tag.nondeterministic_seeded in func.tags
        self.is_pointwise = torch.Tag.pointwise in func.tags or "_foreach_" in self.name
        self.changes_shape = torch.Tag.inplace_view in func.tags


operator = functools.cache(Operator)


@dataclass
class Call:
    """One call. gpu holds the tensors on the GPU by the address of their values."""

    func: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    gpu: dict[int, GPUTensor] = field(default_factory=dict)
    cpu: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.operator: Operator = operator(self.func)
        self.name = self.operator.name
        self._sort(self.args)
        self._sort(self.kwargs.values())

    def _sort(self, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, GPUTensor):
                self.gpu[id(value.raw)] = value
            elif isinstance(value, Tensor):
                self.cpu.append(value)
            elif isinstance(value, list | tuple):
                self._sort(value)

    @property
    def requested_device(self) -> torch.device | None:
        """Return the device that is asked for, or None."""
        return self.kwargs.get("device") if self.operator.takes_device else None

    @property
    def known(self) -> dict[int, Tensor]:
        """Return the tensors it is given, by the address of their values."""
        return {**self.gpu, **{id(tensor): tensor for tensor in self.cpu}}

    @property
    def touches_gpu(self) -> bool:
        """Return whether anything of it lies on the GPU, or is to."""
        return bool(self.gpu) or self.to_gpu

    @property
    def to_gpu(self) -> bool:
        """Return whether the result lies on the GPU. C++ asks for "meta" where a tensor there is its model."""
        if self.requested_device is None:
            return bool(self.gpu)
        return self.requested_device.type != "cpu" and (
            self.requested_device.type != "meta" or context.device_count() > 0
        )

    @property
    def generator(self) -> Any:
        """Return the generator it is given, or None."""
        place = self.operator.generator
        if place is None or "generator" in self.kwargs:
            return self.kwargs.get("generator")
        return self.args[place] if place < len(self.args) else None
