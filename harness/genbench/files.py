"""Files written whole or not at all, and read with their checksums. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from genbench.errors import DamagedError, StoreError, printable

CHUNK = 1 << 20

LARGEST, DEEPEST = 1 << 24, 64
"""Of a record: bytes, and objects and lists within each other. Those written here have thousands, and about ten."""


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no blanks: equal values give equal text. Refuses NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any, length: int = 64) -> str:
    """Return the first `length` hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()[:length]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return sha256_of(file)


def sha256_of(file: BufferedReader) -> str:
    """Return the SHA-256 of what an open file holds from here on, in hex."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[Path]:
    """Yield a name beside `path` to write to; on success it is renamed over `path`, else it is removed.

    sync waits until the disk has it, so that it outlives a loss of power; a killed process loses nothing either way.
    Raises StoreError where the folder cannot be written or the disk is full.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        if sync:
            with aside.open("rb") as file:
                os.fsync(file.fileno())
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"cannot write {printable(path)}: {error.strerror or error}. What was stored is kept."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


@contextlib.contextmanager
def aside_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside the final one, gone afterwards unless it was renamed."""
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_aside(path: Path) -> bool:
    """Return whether a path is what `replacing` writes to: left by a killed process, if none is writing."""
    return re.fullmatch(r"\..+\.\d+\.[0-9a-f]{8}", path.name) is not None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path, text: str, sync: bool = True) -> None:
    """Write a text file whole or not at all."""
    with replacing(path, sync) as aside:
        aside.write_text(text, encoding="utf-8", newline="")


def write_record(path: Path, record: dict[str, Any], sync: bool = True) -> None:
    """Write a JSON object with the checksum of its own content."""
    write_text(path, sealed(record), sync)


def sealed(record: dict[str, Any]) -> str:
    """Return the text of a JSON object with the checksum of its own content."""
    return json.dumps({**record, "sha256": digest(record)}, indent=1, sort_keys=True, allow_nan=False) + "\n"


@contextlib.contextmanager
def opened_plain(path: Path) -> Iterator[BufferedReader]:
    """Open a plain file to read; nothing is waited for. Raises StoreError for a link and what else is none, OSError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise (_no_plain(path) if error.errno in (errno.ELOOP, errno.ENXIO) else error) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_plain(path)
    with open(handle, "rb") as file:
        yield file


def read_plain(path: Path, most: int = LARGEST) -> bytes:
    """Return the content of a plain file of at most so many bytes. Raises StoreError for any other, OSError."""
    with opened_plain(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise StoreError(f"{printable(path)} is too large; expected at most {most:,} bytes")
    return content


def _no_plain(path: Path) -> StoreError:
    return StoreError(f"{printable(path)} is a link or no file; expected a plain file, which is all that is read")


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON object written by `write_record`. Raises DamagedError where it is not what was written.

    Raises StoreError where it cannot be one that genbench wrote: a link, too large, or too deep.
    """
    try:
        record = json.loads(read_plain(path).decode("utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise StoreError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{printable(path)} is damaged: not JSON ({printable(error)})") from error
    if _is_deep(record):
        raise StoreError(f"{printable(path)} is too deep; expected at most {DEEPEST} objects and lists in each other")
    if not isinstance(record, dict) or record.pop("sha256", None) != digest(record):
        raise DamagedError(f"{printable(path)} is damaged: its content does not match its checksum")
    return record


def _is_deep(value: Any) -> bool:
    """Return whether objects and lists lie in each other more than so many times."""
    level = [value]
    for _ in range(DEEPEST + 1):
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)]
        if not inner:
            return False
        level = list(itertools.chain.from_iterable(inner))
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def stamp(path: Path) -> dict[str, Any]:
    """Return what a record keeps of a file: size in bytes and SHA-256."""
    return {"size": path.stat().st_size, "sha256": sha256(path)}


def shipped(name: str) -> Path:
    """Return a folder that comes with genbench: suites or claims, from the wheel or from the source tree."""
    package = Path(__file__).resolve().parent
    installed = package / "_benchmarks" / name
    return installed if installed.is_dir() else package.parents[1] / "benchmarks" / name
