"""A file that an option names: known by its content, wherever it lies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from genbench import files
from genbench.errors import ChangedError, DataError, printable

MOST_BYTES = 1 << 36
"""Bytes that such a file may have: what is larger is no file of weights, but a sparse one, or a mistake."""


@dataclass(frozen=True)
class File:
    """The type of an option that names a file, as in `weights: genbench.File | None = None`.

    sha256, of the content in hex, is part of what a plugin is; path, which is absolute, is not: files of one content
    are equal. Where a path is taken (`torch.load(self.weights)`), the content is hashed first; `read` hashes the very
    bytes that it returns.
    """

    path: str = field(repr=False, compare=False)
    sha256: str

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> File:
        """Return the file at a path as it is now. Raises DataError, saying what is there in place of a plain file."""
        where = Path(os.path.expanduser(path)).absolute()
        try:
            where.as_posix().encode()  # it becomes part of records
            return cls(str(where), _hashed(where))
        except UnicodeEncodeError as error:
            raise DataError("its path has bytes that are no text here; rename it, or set LC_ALL=C.UTF-8") from error
        except OSError as error:
            raise DataError(_reason(where, error)) from error

    @property
    def name(self) -> str:
        """The file's name, without the folders above it."""
        return os.path.basename(self.path)

    def read(self, most: int = MOST_BYTES) -> bytes:
        """Return the content, of at most so many bytes.

        Raises DataError for more, ChangedError where it is not what it was when the run was planned.
        """
        try:
            with files.opened(self.path) as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read(size + 1) if size <= most else b""  # one more, so that a file that grows is seen
        except OSError as error:
            raise self._gone(error) from error
        if size > most:
            raise DataError(f"{printable(self.path)} has {size:,} bytes; expected at most {most:,}")
        self._compare(hashlib.sha256(content).hexdigest())
        return content

    def check(self) -> None:
        """Raise ChangedError where the content is not what it was when the run was planned."""
        try:
            found = _hashed(Path(self.path))
        except OSError as error:
            raise self._gone(error) from error
        self._compare(found)

    def __fspath__(self) -> str:
        self.check()
        return self.path

    def __str__(self) -> str:
        return f"SHA-256 {self.sha256[:12]}"

    def _compare(self, found: str) -> None:
        if found != self.sha256:
            raise ChangedError(f"{printable(self.path)} changed while the run was going on; start the run again")

    def _gone(self, error: OSError) -> ChangedError:
        reason = _reason(Path(self.path), error)
        return ChangedError(f"{reason}. It could be read when the run was planned; start the run again")


def _hashed(path: Path) -> str:
    """Return the SHA-256 of a plain file of at most so many bytes. Raises OSError for anything else."""
    with files.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise OSError(f"it has {size:,} bytes; expected at most {MOST_BYTES:,}")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(path: Path, error: OSError) -> str:
    """Return why a file cannot be read, in words."""
    where = printable(path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{where} is a link to nothing" if path.is_symlink() else f"there is no file {where}"
    return f"{where} cannot be read: {error.strerror or error}"
