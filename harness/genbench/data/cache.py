"""Datasets prepared once into the cache: checked, digested, stored whole or not at all, and hashed at each use."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import secrets
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from genbench import leftovers, waiting
from genbench.api import Dataset, Space, Split, Splits
from genbench.data.folders import cache_folder, data_folder, originals
from genbench.errors import ChangedError, DataError, GenbenchError, StoreError, printable
from genbench.files import aside_folder, digest, read_record, sync_folder, write_record

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from genbench.data.validation import Content

FORMAT = 2
"""Raised when what is written under the cache folder changes its form."""


SplitName = Literal["train", "valid", "test"]


# What was prepared ---------------------------------------------------------------------------------------------------


class DamagedData(DataError):
    """Prepared data are not what was prepared; found says how."""

    def __init__(self, found: str, cure: str) -> None:
        super().__init__(f"{found}. Prepare it again: {cure}")
        self.found = found


@dataclass(frozen=True)
class Prepared:
    """A dataset in the cache. digest identifies its content, whatever its path, machine or plugin.

    sizes are the numbers of images by split; command is what a person types to prepare it again; notes say what was
    found in it that could have been meant otherwise.
    """

    name: str
    digest: str
    shape: tuple[int, int, int]
    classes: int | None
    bounds: tuple[float, float]
    sizes: Mapping[str, int]
    folder: Path
    command: str = ""
    notes: tuple[str, ...] = ()

    @property
    def space(self) -> Space:
        """Return the space that its images live in."""
        return Space(self.shape, self.classes, self.bounds)

    def split(self, name: SplitName, device: torch.device | str = "cpu") -> Split[Tensor]:
        """Return images as float32 within the bounds, and labels as int64 or None, on a device.

        Each call reads the files anew, and what it returns is what was hashed, in memory of its own: what a plugin
        writes into its tensors reaches nobody else. Raises DataError where a bit is not what was prepared, ChangedError
        where that came about since this process looked first.
        """
        import torch

        images = torch.from_numpy(self._array(f"{name}-images"))
        if images.dtype == torch.uint8:
            # divided before it is moved: an accelerator may round differently
            images = images.to(torch.float32).div_(255)
        if self.classes is None:
            return Split(images.to(device))
        return Split(images.to(device), torch.from_numpy(self._array(f"{name}-labels")).to(device))

    def verify(self) -> None:
        """Read everything and compare it with the digest. Raises DataError where a bit is not what was prepared."""
        _known_parts[self.digest] = self._verified()

    def _verified(self) -> dict[str, str]:
        """Return the digest of each array, where all of them together have the digest of the dataset."""
        from genbench.data import validation

        names = [name for name in validation.NAMES if self.classes is not None or not name.endswith("labels")]
        found, parts = validation.digests(((name, self._read(name)) for name in names), self.classes, self.bounds)
        if found != self.digest:
            raise self._damaged(f"its content has digest {found[:16]}, expected {self.digest[:16]}")
        return parts

    def _array(self, name: str) -> NDArray[Any]:
        """Return an array in memory of its own, once it is known to be part of what has the digest."""
        from genbench.data.validation import part_digest

        if self.digest not in _known_parts:
            self.verify()
        array = self._read(name)
        if part_digest(name, array) != _known_parts[self.digest][name]:
            why = self._damaged(f"{name}.npy changed while it was in use").found
            raise ChangedError(f"{why}; start again, which prepares it again")
        return array

    def _read(self, name: str) -> NDArray[Any]:
        from genbench.data.arrays import UNREADABLE, whole

        split, part = name.split("-")
        expected = (self.sizes[split], *self.shape) if part == "images" else (self.sizes[split],)
        _wait_for(self.folder)
        try:
            array = whole(self.folder / f"{name}.npy")
        except (*UNREADABLE, DataError) as error:
            raise self._damaged(f"cannot read {name}.npy: {error}") from error
        if array.shape != expected:
            raise self._damaged(f"{name}.npy has shape {array.shape}, expected {expected}")
        return array

    def _damaged(self, why: str) -> DamagedData:
        cure = self.command or f"genbench data prepare {shlex.quote(self.name)} --fresh"
        found = f"dataset {self.name!r}: prepared in {printable(self.folder)}, but {printable(why)}"
        return DamagedData(found, printable(cure))


_known_parts: dict[str, dict[str, str]] = {}
"""The digest of each array by that of its dataset, as found by this process: which go together, whatever a file says.

A second reading then hashes what it reads, and nothing else.
"""


# Preparing -----------------------------------------------------------------------------------------------------------


def prepare(dataset: Dataset, key: dict[str, Any], fresh: bool = False) -> Prepared:
    """Return the dataset as prepared in the cache, preparing it where that was not done, is damaged, or is asked anew.

    key is the resolved plugin as a JSON object: name, distribution, version, options. A second call reads the manifest
    alone and imports no numpy. Raises DataError where the dataset cannot be loaded, is malformed or cannot be stored.
    """
    if not fresh and (found := _stored(dataset, key, _fingerprint(dataset, key))):
        return found
    with saving_work(_lock(key)):
        # another process may have prepared it while this one waited
        if not fresh and (found := _stored(dataset, key, _fingerprint(dataset, key))):
            return found
        return _prepare(dataset, key, fresh)


def verified(dataset: Dataset, key: dict[str, Any]) -> tuple[Prepared, str]:
    """Return the dataset as `prepare` does, every bit read, and "" or what was damaged and was prepared again.

    Raises DataError where that cannot be done.
    """
    found = prepare(dataset, key)
    try:
        if found.digest not in _known_parts:  # a second time, what is read is hashed when it is used
            found.verify()
    except DamagedData as damage:
        return _mended(dataset, key), f"{damage.found}; it was prepared again"
    return found, ""


def _mended(dataset: Dataset, key: dict[str, Any]) -> Prepared:
    with saving_work(_lock(key)):
        with contextlib.suppress(DamagedData):  # another process may have mended it while this one waited
            if found := _stored(dataset, key, _fingerprint(dataset, key)):
                found.verify()
                return found
        return _prepare(dataset, key, fresh=True)


def _lock(key: dict[str, Any]) -> Path:
    return cache_folder() / "prepared" / f".{_file_name(key)}.lock"


def _prepare(dataset: Dataset, key: dict[str, Any], fresh: bool) -> Prepared:
    from genbench.data.validation import checked

    fingerprint, splits = _load(dataset, key)
    content = checked(str(key["name"]), splits)
    folder = _folder(key, fingerprint)
    with _writing(folder.parent), _aside(folder) as aside:
        _write(aside, key, content)
        _commit(aside, folder, replace=fresh or _stored(dataset, key, fingerprint) is None)
    _wait_for(folder)
    if found := _stored(dataset, key, fingerprint):
        return found
    raise DataError(f"dataset {str(key['name'])!r}: what was stored in {printable(folder)} cannot be read back")


def _load(dataset: Dataset, key: dict[str, Any]) -> tuple[str, Splits[np.ndarray[Any, Any]]]:
    """Return the fingerprint and arrays of one state of the source; a download changes it, and so does an editor."""
    name = str(key["name"])
    for _ in range(3):
        before = _fingerprint(dataset, key)
        try:
            with originals() as folder:
                splits = dataset.load(folder)
        except GenbenchError:
            raise
        except Exception as error:
            kind = type(error).__name__
            raise DataError(f"dataset {name!r} could not be loaded: {kind}: {printable(error)}") from error
        if _fingerprint(dataset, key) == before:
            return before, splits
    raise DataError(f"dataset {name!r}: its files changed each time they were read. Try again when they rest.")


def _fingerprint(dataset: Dataset, key: dict[str, Any]) -> str:
    try:
        return dataset.fingerprint(data_folder())
    except OSError as error:
        why = printable(error)
        raise DataError(f"dataset {str(key['name'])!r}: its files cannot be looked at: {why}") from error


# The cache -----------------------------------------------------------------------------------------------------------


def _file_name(key: dict[str, Any]) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", str(key["name"]))[:60]


def _folder(key: dict[str, Any], fingerprint: str) -> Path:
    identity = digest({"format": FORMAT, "key": key, "fingerprint": fingerprint}, 16)
    return cache_folder() / "prepared" / f"{_file_name(key)}-{identity}"


def _stored(dataset: Dataset, key: dict[str, Any], fingerprint: str) -> Prepared | None:
    """Return what the cache holds, or None where that is nothing, or not all that its manifest lists."""
    folder = _folder(key, fingerprint)
    try:
        record = read_record(folder / "manifest.json")
        if any((folder / name).stat().st_size != size for name, size in record["files"].items()):
            return None
        channels, height, width = record["shape"]
        low, high = record["bounds"]
        return Prepared(
            name=str(key["name"]),
            digest=record["digest"],
            shape=(channels, height, width),
            classes=record["classes"],
            bounds=(low, high),
            sizes={split: record["sizes"][split] for split in get_args(SplitName)},
            folder=folder,
            notes=tuple(map(str, record["notes"])),
            command=f"genbench data prepare {shlex.quote(_spelling(dataset, str(key['name'])))} --fresh",
        )
    except (StoreError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _spelling(dataset: Dataset, name: str) -> str:
    """Return how the dataset is asked for: its name and the options that differ from their defaults."""
    plugin: Any = dataset
    fields = dataclasses.fields(plugin) if dataclasses.is_dataclass(plugin) else ()
    changed = {f.name: getattr(plugin, f.name) for f in fields if getattr(plugin, f.name) != f.default}
    positional = getattr(dataset, "positional", None)
    if positional in changed and len(changed) == 1:
        return f"{name}:{changed[positional]}"
    listed = ",".join(f"{option}={json.dumps(value, default=str)}" for option, value in changed.items())
    return f"{name}[{listed}]" if listed else name


def _write(folder: Path, key: dict[str, Any], content: Content) -> None:
    import numpy as np

    from genbench.data import validation

    files = {}
    for name, array in content.arrays.items():
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
            files[f"{name}.npy"] = file.tell()
    about: dict[str, Any] = {name: getattr(content, name) for name in ("shape", "classes", "bounds", "sizes", "notes")}
    found = validation.digest(content.arrays, content.classes, content.bounds)
    write_record(folder / "manifest.json", {"format": FORMAT, "key": key, "digest": found, "files": files, **about})


def _commit(aside: Path, folder: Path, replace: bool) -> None:
    """Give the finished folder its name. Where another process was first, its equal content stays."""
    old = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    if replace:
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old)
    try:
        aside.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _wait_for(folder: Path) -> None:
    """Wait for a folder that another process is just replacing: between its two renames there is none."""
    for _ in range(50):
        if folder.exists():
            return
        time.sleep(0.02)


@contextlib.contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside the final one, once those that killed processes left are gone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f".{folder.name.rpartition('-')[0]}-*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > leftovers.AGE:
                shutil.rmtree(leftover, ignore_errors=True)
    with aside_folder(folder) as aside:
        yield aside


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, StoreError) as error:
        raise DataError(
            f"cannot write prepared data in {printable(folder)}: {printable(error)}. "
            "Make room or give rights there, or set GENBENCH_CACHE to another folder."
        ) from error


@contextlib.contextmanager
def saving_work(path: Path) -> Iterator[None]:
    """Hold a lock in a folder that is made for it. Raises DataError where that cannot be, Interrupted when asked to."""
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with waiting.saving_work(path):
        yield
