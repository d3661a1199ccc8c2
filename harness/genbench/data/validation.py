"""What a dataset returned: checked thoroughly, brought to one form, and digested."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from genbench.api import Split, Splits
from genbench.data.labels import heeded
from genbench.errors import DataError, printable
from genbench.files import canonical

SPLITS = ("train", "valid", "test")
NAMES = tuple(f"{split}-{part}" for split in SPLITS for part in ("images", "labels"))


@dataclass(frozen=True)
class Content:
    """Arrays by name ("train-images": uint8 or float32, "train-labels": int64), contiguous and little-endian.

    notes say what was found that could have been meant otherwise.
    """

    arrays: dict[str, NDArray[Any]]
    shape: tuple[int, int, int]
    classes: int | None
    bounds: tuple[float, float]
    sizes: dict[str, int]
    notes: list[str] = field(default_factory=list)


def digest(arrays: Mapping[str, NDArray[Any]], classes: int | None, bounds: tuple[float, float]) -> str:
    """Return the SHA-256 of the arrays, whatever their path, machine or plugin."""
    return digests(((name, arrays[name]) for name in NAMES if name in arrays), classes, bounds)[0]


def digests(
    arrays: Iterable[tuple[str, NDArray[Any]]], classes: int | None, bounds: tuple[float, float]
) -> tuple[str, dict[str, str]]:
    """Return the SHA-256 of arrays in the order of NAMES, and of each alone; none is held once it is hashed."""
    sha = hashlib.sha256(canonical({"classes": classes, "bounds": bounds}).encode())
    parts: dict[str, str] = {}
    for name, array in arrays:
        for part in _bytes(name, array):
            sha.update(part)
        parts[name] = part_digest(name, array)
    return sha.hexdigest(), parts


def part_digest(name: str, array: NDArray[Any]) -> str:
    """Return the SHA-256 of an array with its name, type and shape."""
    sha = hashlib.sha256()
    for part in _bytes(name, array):
        sha.update(part)
    return sha.hexdigest()


def _bytes(name: str, array: NDArray[Any]) -> tuple[bytes, memoryview]:
    return canonical([name, array.dtype.str, array.shape]).encode(), array.reshape(-1).view(np.uint8).data


def checked(name: str, splits: object) -> Content:
    """Return what the dataset of this name loaded, in one form. Raises DataError saying what is wrong with it."""
    whole = f"dataset {name!r}"
    if not isinstance(splits, Splits):
        _refuse(whole, f"load returned {_kind(splits)}", "a genbench.Splits")
    bounds, classes = _bounds(whole, splits.bounds), _classes(whole, splits.classes)
    arrays: dict[str, NDArray[Any]] = {}
    for split in SPLITS:
        arrays |= _split(f"{whole}, {split}", split, getattr(splits, split), classes, bounds)
    shapes = {split: arrays[f"{split}-images"].shape for split in SPLITS}
    if len({shape[1:] for shape in shapes.values()}) > 1:
        _refuse(whole, f"the splits have images of different shapes {shapes}", "the same (C, H, W) in all of them")
    channels, height, width = shapes["train"][1:]
    sizes = {split: shape[0] for split, shape in shapes.items()}
    arrays, classes, notes = heeded(arrays, classes)
    return Content(arrays, (channels, height, width), classes, bounds, sizes, notes)


def _refuse(where: str, found: str, expected: str) -> NoReturn:
    raise DataError(f"{where}: {printable(found)}; expected {expected}")


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _bounds(where: str, bounds: object) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in bounds)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        _refuse(where, f"bounds is {bounds!r}", "two numbers, the least and the greatest pixel value")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        _refuse(where, f"bounds is {bounds!r}", "two finite numbers, the lower one first")
    return low, high


def _classes(where: str, classes: object) -> int | None:
    if classes is None:
        return None
    if isinstance(classes, bool) or not isinstance(classes, int | np.integer) or not 1 <= classes < 2**31:
        _refuse(where, f"classes is {classes!r}", "a whole number from 1, or None without labels")
    return int(classes)


def _split(
    where: str, name: str, split: object, classes: int | None, bounds: tuple[float, float]
) -> dict[str, NDArray[Any]]:
    if not isinstance(split, Split):
        _refuse(where, f"it is {_kind(split)}", "a genbench.Split")
    images = _images(f"{where} images", split.images, bounds)
    if split.labels is None and classes is None:
        return {f"{name}-images": images}
    if classes is None:
        _refuse(where, "it has labels, but classes is None", "the number of classes")
    if split.labels is None:
        _refuse(where, f"it has no labels, but classes is {classes}", "labels in all splits, or classes=None")
    return {f"{name}-images": images, f"{name}-labels": _labels(f"{where} labels", split.labels, len(images), classes)}


def _images(where: str, images: object, bounds: tuple[float, float]) -> NDArray[Any]:
    if not isinstance(images, np.ndarray):
        _refuse(where, f"they are {_kind(images)}", "a numpy array")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        _refuse(where, f"dtype is {images.dtype}", "uint8 (0 to 255) or floating point")
    if images.ndim != 4 or 0 in images.shape:
        _refuse(where, f"shape is {images.shape}", "four dimensions (n, C, H, W), none of them 0")
    if images.dtype == np.uint8:
        if bounds != (0.0, 1.0):
            _refuse(where, f"uint8 with bounds {bounds}", "bounds (0, 1): 0 to 255 stand for 0 to 1")
        return np.ascontiguousarray(images)
    return _within(where, images, bounds)


def _within(where: str, images: NDArray[Any], bounds: tuple[float, float]) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        images = np.ascontiguousarray(images, dtype="<f4")
        least, greatest = images.min(), images.max()
    if not (np.isfinite(least) and np.isfinite(greatest)):
        count = int((~np.isfinite(images)).sum())
        _refuse(where, f"{count} of {images.size} values are NaN or infinite as float32", "finite values")
    # compared as float32: the nearest float32 to a bound may lie just beyond it
    if least < np.float32(bounds[0]) or greatest > np.float32(bounds[1]):
        _refuse(where, f"values go from {least:g} to {greatest:g}", f"them within the bounds {bounds}: scale them")
    return images


def _labels(where: str, labels: object, n: int, classes: int) -> NDArray[Any]:
    if not isinstance(labels, np.ndarray):
        _refuse(where, f"they are {_kind(labels)}", "a numpy array")
    if labels.dtype.kind not in "iu":
        _refuse(where, f"dtype is {labels.dtype}", "whole numbers")
    if labels.shape != (n,):
        _refuse(where, f"shape is {labels.shape}", f"({n},), one for each image")
    if labels.min() < 0 or labels.max() >= classes:
        _refuse(where, f"they go from {labels.min()} to {labels.max()}", f"0 to {classes - 1} for {classes} classes")
    return np.ascontiguousarray(labels, dtype="<i8")
