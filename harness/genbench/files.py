"""Files written whole or not at all, and read with their checksums. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from genbench import leftovers
from genbench.errors import DamagedError, StoreError, printable

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a link",
}
"""What may lie where a file is expected: a pipe would be waited for without end, a device read for ever."""

LARGEST, DEEPEST = 1 << 24, 64
"""Of a record: bytes, and objects and lists within each other. Those written here have thousands, and about ten."""


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no blanks: equal values give equal text. Refuses NaN and infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any, length: int = 64) -> str:
    """Return the first `length` hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()[:length]


# Read ----------------------------------------------------------------------------------------------------------------


def opened(path: str | os.PathLike[str], follow: bool = True) -> BufferedReader:
    """Open a plain file to read. Raises OSError for anything else, at once; for a link too, unless they are followed.

    Every file that is read goes through here.
    """
    try:
        status = os.stat(path, follow_symlinks=follow)
    except ValueError as error:  # a zero byte in it
        raise OSError(errno.EINVAL, printable(error), ascii(os.fspath(path))) from error
    _check_plain(path, status)  # before it is opened: that alone may move a device
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    try:
        _check_plain(path, os.fstat(handle))
        return BufferedReader(io.FileIO(handle, "rb"))
    except BaseException:
        os.close(handle)
        raise


@contextlib.contextmanager
def pinned(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path that leads to a plain file that is open, for what takes paths alone. Raises OSError as `opened`."""
    with opened(path) as file:
        yield Path(f"/proc/self/fd/{file.fileno()}")


def read_bytes(path: str | os.PathLike[str], follow: bool = True) -> bytes:
    """Return the content of a plain file. Raises OSError as `opened` does."""
    with opened(path, follow) as file:
        return file.read()


def read_text(path: str | os.PathLike[str], follow: bool = True) -> str:
    """Return the text of a plain file, in UTF-8. Raises OSError as `opened` does, ValueError for other bytes."""
    return read_bytes(path, follow).decode("utf-8")


def check_plain(path: Path, in_place: bool = False) -> None:
    """Raise OSError where there is something other than a plain file. Links are not followed.

    in_place is for what is written where it lies: a hard link is refused too, which may be a file that lies elsewhere.
    """
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        _check_plain(path, status)
        if in_place and status.st_nlink > 1:
            raise OSError(errno.EMLINK, "it is a hard link to a file that has other names; remove it", os.fspath(path))


def _check_plain(path: str | os.PathLike[str], status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a plain file", os.fspath(path))


def sha256(path: str | os.PathLike[str], follow: bool = True) -> str:
    """Return the SHA-256 of a file's content, in hex. Raises OSError as `opened` does."""
    with opened(path, follow) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state(status: os.stat_result) -> list[int]:
    """Return what tells a changed file from an unchanged one without reading it.

    Size and time of change alone do not: whoever unpacks or copies a file sets them. The time of the inode's change
    nobody sets.
    """
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def fingerprint(paths: Iterable[str | os.PathLike[str]]) -> str:
    """Return what tells changed files from unchanged ones without reading them, for `Dataset.fingerprint`.

    It is made of paths, sizes, times and inodes; what is no plain file, or not there, is left out, and "" of nothing.
    """
    found = []
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(path)
            found += [[ascii(os.fspath(path)), *state(status)]] if stat.S_ISREG(status.st_mode) else []
    return digest(found) if found else ""


# Written -------------------------------------------------------------------------------------------------------------


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


NAMED = 200
"""Bytes of a file's name that the name beside it takes over, so that a long name has no longer one beside it."""


@contextlib.contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[Path]:
    """Yield a name beside `path` to write to; on success it is renamed over `path`, else it is removed.

    What a killed process left of the same file a day ago or longer is removed too. sync waits until the disk has it, so
    that it outlives a loss of power; a killed process loses nothing either way.
    Raises StoreError where the folder cannot be written, the disk is full, or a folder, pipe or device is in the way.
    """
    stem = f".{path.name[:NAMED]}"
    aside = path.with_name(f"{stem}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make_folder(path.parent)
        leftovers.remove(path.parent, stem)
        if not path.is_symlink():  # which is replaced, and not followed
            check_plain(path)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # nobody else's
        yield aside
        if sync:
            with opened(aside) as file:
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


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, unless it is there. Raises OSError, naming what is in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        reason = f"{printable(above)} is no folder"
        raise NotADirectoryError(errno.ENOTDIR, reason, os.fspath(folder)) from error


def check_writable(folder: Path) -> None:
    """Raise OSError where nothing can be written in a folder, which need not be there. Leaves nothing behind."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{printable(existing)} is no folder", os.fspath(folder))
    with contextlib.suppress(FileNotFoundError):
        folder.stat()  # which refuses a name that is too long
    with tempfile.TemporaryFile(dir=existing):
        pass


@contextlib.contextmanager
def aside_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside the final one, gone afterwards unless it was renamed."""
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    aside.mkdir()
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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


def read_plain(path: Path, most: int = LARGEST, follow: bool = False) -> bytes:
    """Return the content of a plain file of at most so many bytes. Raises StoreError for more, OSError as `opened`.

    No link is followed unless asked for.
    """
    with opened(path, follow) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise StoreError(f"{printable(path)} is too large; expected at most {most:,} bytes")
    return content


def read_json(path: Path, follow: bool = False) -> Any:
    """Return the JSON value in a file. Raises DamagedError for anything else.

    Raises StoreError where it cannot be one that genbench wrote: a link, unless they are followed, too large, or too
    deep.
    """
    try:
        value = json.loads(read_plain(path, follow=follow).decode("utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise StoreError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{printable(path)} is damaged: not JSON ({printable(error)})") from error
    if _is_deep(value):
        raise StoreError(f"{printable(path)} is too deep; expected at most {DEEPEST} objects and lists in each other")
    return value


def read_record(path: Path) -> dict[str, Any]:
    """Return a JSON object written by `write_record`. Raises as `read_json`, DamagedError also for another checksum."""
    record = read_json(path)
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
