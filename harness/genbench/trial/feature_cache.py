"""Features of images, each computed once: an extractor made ready, and what it found in real splits kept on disk."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from genbench import files
from genbench.api import FeatureExtractor, Space, TrainingData
from genbench.data.cache import saving_work
from genbench.data.folders import cache_folder, data_folder
from genbench.errors import Unsupported
from genbench.numerics.precision import full_precision
from genbench.registry import code, loading
from genbench.trial import seeding
from genbench.trial.tensor_files import save_tensors

What = Literal["features", "logits"]
BATCH = 500
DTYPE = "float32"
"""What images come in and features are kept in."""


def make_ready(extractor: FeatureExtractor, space: Space, dataset: str, data: Callable[[], TrainingData]) -> None:
    """Bind and prepare an extractor, in one process at a time: what another prepared is there then."""
    extractor.bind(space, dataset)
    if type(extractor).prepare is not FeatureExtractor.prepare:
        lock = cache_folder() / "extractors" / f"{files.digest([_before(extractor), dataset], 24)}.lock"
        with saving_work(lock), seeding.seeded(0, "extractor"), full_precision():
            extractor.prepare(data(), data_folder(), cache_folder() / "extractors")


def cache_identity(extractor: FeatureExtractor) -> list[str]:
    """Return what distinguishes prepared extractors: what is known before preparing, the code, and the weights."""
    return [*_before(extractor), _code(type(extractor)), extractor.weights_digest]


@functools.cache
def _code(cls: type) -> str:
    """Return the digest of the code behind an extractor, as it was when this process first used it."""
    return code.digest(loading.of_class(cls))


def _before(extractor: FeatureExtractor) -> list[str]:
    """Return what is known once bound: class, version, options and digest, should a digest forget an option.

    Settings are left out: they change how features come about, not what they are.
    """
    cls = type(extractor)
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    settings = {f.name for f in fields if not f.metadata.get("identity", True)}
    kept = {name: value for name, value in vars(extractor).items() if not name.endswith("_") and name not in settings}
    return [f"{cls.__module__}:{cls.__qualname__}", str(cls.version), repr(sorted(kept.items())), extractor.digest]


@torch.no_grad()
def extracted(extractor: FeatureExtractor, what: What, images: Tensor) -> dict[What, Tensor]:
    """Return what is asked for of images, (n, d), batch by batch, and what the same pass gives beside it.

    Raises Unsupported for logits of an extractor that has none.
    """
    with full_precision():
        return _extracted(extractor, what, torch.split(images, BATCH))


def _extracted(extractor: FeatureExtractor, what: What, batches: Sequence[Tensor]) -> dict[What, Tensor]:
    if function := getattr(extractor, "features_and_logits", None):
        features, logits = zip(*map(function, batches), strict=True)
        return {"features": torch.cat(features), "logits": torch.cat(logits)}
    function = getattr(extractor, what, None)
    if function is None:
        raise Unsupported(f"{type(extractor).__name__} classifies nothing: choose an extractor that does, as domain")
    return {what: torch.cat([function(batch) for batch in batches])}


class Features:
    """What extractors found in the splits of one dataset, in the cache folder: whole and as written, or not at all.

    Any number of processes may use it. What is damaged is found by its checksum, and computed again.
    """

    def __init__(self, dataset: str, device: torch.device) -> None:
        self._dataset = dataset
        self._device = device

    def get(self, extractor: FeatureExtractor, what: What, split: str, images: Tensor) -> Tensor:
        """Return features or logits of a split, (n, d): those kept, or computed now and kept."""
        if extractor.is_cheap:
            return extracted(extractor, what, images)[what]
        path = self._path(extractor, what, split, len(images))
        with saving_work(path.with_suffix(".lock")):
            found = _read(path, len(images))
            if found is None:
                both = extracted(extractor, what, images)
                for each, values in both.items():
                    _keep(values, each, self._path(extractor, each, split, len(images)))
                found = both[what]
        return found.to(self._device)

    def _path(self, extractor: FeatureExtractor, what: What, split: str, n: int) -> Path:
        computed_by = [_processor(self._device), str(torch.__version__).partition("+")[0], DTYPE]
        key = files.digest([cache_identity(extractor), what, self._dataset, split, n, computed_by], 24)
        return cache_folder() / "features" / f"{key}.safetensors"


def _processor(device: torch.device) -> str:
    """Return what computes on a device: two kinds of GPU come to other last digits."""
    return f"{device.type} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def _keep(found: Tensor, what: What, path: Path) -> None:
    found = found.cpu().contiguous()
    with files.replacing(path) as aside:
        save_tensors({what: found}, aside, {"sha256": _sha256(found, path)})


def _read(path: Path, n: int) -> Tensor | None:
    """Return what was kept in a file of this name, in memory of its own; None where it is not whole or another."""
    try:
        with files.pinned(path) as pinned, safe_open(pinned, framework="pt") as file:
            (name,) = file.keys()
            found, stored_digest = file.get_tensor(name).clone(), file.metadata()["sha256"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return found if len(found) == n and _sha256(found, path) == stored_digest else None


def _sha256(tensor: Tensor, path: Path) -> str:
    """Return the SHA-256 of values with their type and shape, and of the name that they are kept under."""
    sha = hashlib.sha256(f"{path.name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
    sha.update(tensor.numpy().data)
    return sha.hexdigest()
