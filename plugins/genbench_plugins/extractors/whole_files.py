"""Files written whole or not at all, and tensors read back only where they are what was written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from genbench import opened


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; on success it is renamed over `path`, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o644)  # what mkstemp makes, and safetensors, is for nobody else
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return what tells tensors apart: the SHA-256 of their names, shapes and values."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors with their digest and the file's name, so that a copy under another name does not stand for it."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as aside:
        save_file(plain, aside, {"of": f"{digest(plain)} {path.name}"})  # of several keys, the order is any


def read_tensors(path: Path) -> dict[str, Tensor] | None:
    """Return tensors as `save_tensors` wrote them, or None where the file is missing, damaged or something else."""
    try:
        with opened(path) as file:
            content = file.read()
        found = load(content)
        head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (OSError, ValueError, SafetensorError):
        return None
    return found if head.get("__metadata__") == {"of": f"{digest(found)} {path.name}"} else None
