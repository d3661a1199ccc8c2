"""A model's learned state, the attributes ending in `_`, to one safetensors file and back. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from genbench.errors import OtherDevice
from genbench.trial.tensor_files import save_tensors

Node = dict[str, Any]
TREE = "state"  # one metadata key alone: with several, safetensors' bytes change from run to run
CPU = torch.device("cpu")
OPTIMISERS = (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)


def learned(model: object) -> list[str]:
    """Return the names of the attributes that are learned state."""
    return [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def save(model: object, path: Path, optimisers: bool = True, device: torch.device = CPU) -> None:
    """Write the learned state. Raises TypeError, with the attribute's path, for what cannot be stored.

    What is stored: modules, optimisers and schedulers (whatever has state_dict and load_state_dict), tensors, arrays,
    generators, numbers, text, None, and lists, tuples and dicts of these. device is what the model was built for:
    tensors and generators that it keeps on the CPU beside a GPU come back there.
    """
    write({name: getattr(model, name) for name in learned(model)}, path, optimisers, device)


def restore(model: object, path: Path, device: torch.device) -> None:
    """Fill the state in a file into a model that was built: modules and optimisers in place, the rest by assignment."""
    for name, value in read(path, device, vars(model)).items():
        setattr(model, name, value)


def write(values: Mapping[str, Any], path: Path, optimisers: bool = True, device: torch.device = CPU) -> None:
    """Write named values of the kinds that `save` names. Raises TypeError for others."""
    packer = _Packer(optimisers, device)
    tree = {name: packer.pack(value, name) for name, value in values.items()}
    save_tensors(packer.tensors, path, {TREE: json.dumps(tree, sort_keys=True)})


def read(
    path: Path, device: torch.device, existing: Mapping[str, Any] | None = None, spared: Sequence[Tensor] = ()
) -> dict[str, Any]:
    """Return the values in a file; what is in `existing` is filled in place, so that other names for it stay good.

    Tensors that share memory with those spared are replaced instead.
    """
    existing = existing or {}
    with safe_open(path, "pt") as file:
        tree = json.loads(file.metadata()[TREE])
        unpacker = _Unpacker(file.get_tensor, device, {t.untyped_storage().data_ptr() for t in spared})
        return {name: unpacker.unpack(node, existing.get(name), name) for name, node in tree.items()}


class _Packer:
    """Turns values into JSON nodes, and gathers the tensors that they refer to."""

    def __init__(self, optimisers: bool, device: torch.device) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._optimisers = optimisers
        self._device = device
        self._seen: dict[tuple[Any, ...], tuple[str, Tensor]] = {}

    def pack(self, value: Any, path: str) -> Node:
        if isinstance(value, OPTIMISERS) and not self._optimisers:
            return {"left": "out"}
        if isinstance(value, Tensor):
            return {"tensor": self._keep(value, path), **self._place(value.device)}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            return {"array": self._keep(torch.from_numpy(value.copy()), path)}
        if isinstance(value, torch.Generator):
            return {"generator": self._keep(value.get_state(), path), **self._place(value.device)}
        if hasattr(value, "state_dict") and hasattr(value, "load_state_dict"):
            return {"loaded": self.pack(dict(value.state_dict()), path)}
        return self._pack_plain(value, path)

    def _place(self, device: torch.device) -> Node:
        """Return a mark for what does not lie on the model's own device: optimisers count steps on the CPU."""
        return {} if device.type == self._device.type else {"on": device.type}

    def _pack_plain(self, value: Any, path: str) -> Node:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, int, float, str):
            return {"value": value}
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.pack(item, f"{path}[{i}]") for i, item in enumerate(value)]}
        if isinstance(value, dict) and all(type(key) in (int, str) for key in value):
            return {"dict": [[key, self.pack(item, f"{path}[{key!r}]")] for key, item in value.items()]}
        raise TypeError(
            f"{path} is a {type(value).__name__}, which cannot be stored: expected modules, optimisers, tensors, "
            "arrays, generators, numbers, text, or lists, tuples, dicts of these; or a name that does not end in _"
        )

    def _keep(self, tensor: Tensor, path: str) -> str:
        """Return the key of a tensor's values; tensors that are views of the same values share one."""
        tensor = tensor.detach()
        same = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
        if tensor.numel() == 0 or same not in self._seen:
            self._seen[same] = path, tensor  # kept alive: memory that is freed may be handed out again for another
            # A copy of its own: safetensors refuses tensors that share memory or are strided.
            self.tensors[path] = tensor.to("cpu", copy=True).contiguous()
            return path
        return self._seen[same][0]


class _Unpacker:
    """Turns JSON nodes back into values, filling existing modules and optimisers in place."""

    def __init__(self, tensor: Callable[[str], Tensor], device: torch.device, spared: set[int]) -> None:
        self._tensor = tensor
        self._device = device
        self._spared = spared
        self._made: dict[str, Tensor] = {}

    def unpack(self, node: Node, existing: Any, path: str) -> Any:
        ((kind, content),) = ((key, value) for key, value in node.items() if key != "on")
        device = torch.device(node["on"]) if "on" in node and self._device.type != "cpu" else self._device
        if kind == "left":
            return existing
        if kind == "loaded":
            if existing is None:
                raise TypeError(f"{path} does not exist after build: modules and optimisers must be made there")
            existing.load_state_dict(self.unpack(content, None, path))
            return existing
        if kind == "value":
            return content
        if kind in ("tensor", "array", "generator"):
            return self._unpack_tensor(kind, content, existing, device)
        return self._unpack_container(kind, content, existing, path)

    def _unpack_tensor(self, kind: str, key: str, existing: Any, device: torch.device) -> Any:
        tensor = self._tensor(key)
        if kind == "array":
            return _filled(existing, tensor.numpy())
        if kind == "generator":
            return _resumed(existing if isinstance(existing, torch.Generator) else torch.Generator(device), tensor)
        if isinstance(existing, torch.nn.Parameter) or (isinstance(existing, Tensor) and existing.requires_grad):
            existing.data.copy_(tensor)  # an optimiser holds it
            return existing
        if self._may_fill(existing, tensor):
            return existing.copy_(tensor)
        if key not in self._made:
            self._made[key] = tensor.to(device)
        return self._made[key]

    def _may_fill(self, existing: Any, tensor: Tensor) -> bool:
        """Return whether a tensor can take the values, and is no view of others or of what is spared."""
        if not isinstance(existing, Tensor) or existing.shape != tensor.shape or existing.dtype != tensor.dtype:
            return False
        storage = existing.untyped_storage()
        whole = storage.nbytes() == existing.numel() * existing.element_size()
        return whole and existing.is_contiguous() and storage.data_ptr() not in self._spared

    def _unpack_container(self, kind: str, content: list[Any], existing: Any, path: str) -> Any:
        if kind == "dict":
            old = existing if isinstance(existing, dict) else {}
            return {key: self.unpack(item, old.get(key), f"{path}[{key!r}]") for key, item in content}
        same = isinstance(existing, list | tuple) and len(existing) == len(content)
        olds = existing if same else [None] * len(content)
        items = [
            self.unpack(item, old, f"{path}[{i}]") for i, (item, old) in enumerate(zip(content, olds, strict=True))
        ]
        return items if kind == "list" else tuple(items)


def _resumed(generator: torch.Generator, state: Tensor) -> torch.Generator:
    """Return a generator put into a state. Raises OtherDevice for the state of one on another kind of device."""
    if len(state) != len(generator.get_state()):
        other = "cuda" if generator.device.type == "cpu" else "cpu"
        raise OtherDevice(
            f"the trained model keeps a random generator of {other}, which {generator.device.type} cannot take up; "
            f"give --device {other}"
        )
    return generator.set_state(state)


def _filled(existing: Any, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the array that is there with new values, where it can take them, else the values."""
    same = isinstance(existing, np.ndarray) and existing.shape == values.shape and existing.dtype == values.dtype
    if not same or existing.base is not None or not existing.flags.writeable:
        return values
    existing[...] = values
    filled: np.ndarray[Any, Any] = existing
    return filled
