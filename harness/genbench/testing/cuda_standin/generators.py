"""Generators that know their device: so an operator knows on which device it draws."""

from __future__ import annotations

import weakref
from typing import Any

import torch

from genbench.testing.cuda_standin.context import GPU

PADDING = 8
"""Bytes that the state of a generator on the GPU has more: its length differs from the CPU's there too."""

_of_gpu: set[int] = set()
"""Addresses of the generators on the GPU: operators are handed the same generator as another Python object."""


_C: Any = torch._C


class _AnyGenerator(type(torch._C.Generator)):  # type: ignore[misc]
    """Lets isinstance(..., torch.Generator) hold for those that C++ made too."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _C.Generator)


class Generator(torch._C.Generator, metaclass=_AnyGenerator):
    """What `torch.Generator` becomes: one of the CPU's, which knows whether it counts as the GPU's."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> Generator:
        self: Any = _C.Generator.__new__(cls, device="cpu")
        self.place = torch.device(device)
        if self.place.type == "cuda":
            self.place = GPU
            _of_gpu.add(self._cdata)
            weakref.finalize(self, _of_gpu.discard, self._cdata)  # addresses are used again
        return self  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """Return the device it draws on."""
        return self.place

    def get_state(self) -> torch.Tensor:
        """Return the state, a ByteTensor on the CPU."""
        state = super().get_state()
        return torch.cat([state, state.new_zeros(self._padding)])

    def set_state(self, new_state: torch.Tensor) -> Generator:
        """Go on from a state. Raises TypeError or RuntimeError where it is none of this device's generators."""
        if new_state.device.type != "cpu" or new_state.dtype != torch.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if len(new_state) != len(self.get_state()):
            raise RuntimeError("RNG state is wrong size")
        super().set_state(new_state[: len(new_state) - self._padding].clone())
        return self

    def clone_state(self) -> Generator:
        """Return another generator in the same state."""
        return Generator(self.place).set_state(self.get_state())

    @property
    def _padding(self) -> int:
        return PADDING if self.place.type == "cuda" else 0


def is_on_gpu(generator: Any) -> bool:
    """Return whether a generator draws on the GPU."""
    return generator._cdata in _of_gpu


class GlobalDraws:
    """While it is entered, what draws without a generator draws from the GPU's own, and the CPU's stays as it was."""

    def __enter__(self) -> None:
        torch.cuda.init()  # type: ignore[no-untyped-call]
        self._gpu = torch.cuda.default_generators[0]
        self._cpu = torch.default_generator.get_state()
        torch.default_generator.set_state(torch._C.Generator.get_state(self._gpu))

    def __exit__(self, *_: object) -> None:
        torch._C.Generator.set_state(self._gpu, torch.default_generator.get_state())
        torch.default_generator.set_state(self._cpu)
