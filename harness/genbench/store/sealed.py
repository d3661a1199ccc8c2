"""A folder of files whose names hold their checksums: each is whole, and what was written, or it does not count."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from genbench import files

NAME = re.compile(r"(?P<series>[a-z0-9.-]+)-(?P<number>\d{9})-(?P<sha256>[0-9a-f]{64})")


class SealedFolder:
    """Holds series of files: <series>-<number>-<sha256>. The greatest number of a series is its newest."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, series: str, number: int, write: Callable[[Path], object]) -> None:
        """Write a file; the series' older ones are removed once it is in place. Raises StoreError on a full disk."""
        older = self._of(series)
        new = self.path / f"{series}.new"
        with files.replacing(new) as aside:
            write(aside)
            name = f"{series}-{number:09d}-{files.sha256(aside)}"
        new.replace(self.path / name)
        files.sync_folder(self.path)
        for path in older:
            if path.name != name:
                path.unlink()

    def newest(self, series: str) -> Path | None:
        """Return the newest whole file of a series, or None; damaged ones are set aside under a name that says so."""
        for path in reversed(self._of(series)):
            match = NAME.fullmatch(path.name)
            with contextlib.suppress(OSError):
                if match and files.sha256(path) == match["sha256"]:
                    return path
            path.replace(path.with_name(f"{path.name}.damaged"))
        return None

    def clear(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _of(self, series: str) -> list[Path]:
        """Return the files of a series, the newest last."""
        found = ((path, NAME.fullmatch(path.name)) for path in self.path.glob(f"{series}-*"))
        return sorted(path for path, match in found if match and match["series"] == series)
