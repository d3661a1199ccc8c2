"""What every complaint of the command line holds to: one line, and nothing written."""

import os
import re
from pathlib import Path
from typing import Any


def tree(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return what lies under a folder: links with their targets, files with size and time of change."""
    found = {}
    for folder, folders, names in os.walk(root):
        for path in (Path(folder) / name for name in folders + names):
            told = path.lstat()
            target = os.readlink(path) if path.is_symlink() else ""
            found[str(path)] = (target, told.st_mode, 0 if path.is_dir() else (told.st_size, told.st_mtime_ns))
    return found


def check_line(err: str, message: str) -> None:
    """Assert that there is one line, safe to show, that says what it must."""
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1, err
    assert err.removesuffix("\n").isprintable(), ascii(err)
    assert "Traceback" not in err
    assert not re.search(r"unexpected \w+(Error|Exception)", err), err
    assert re.search(message, err), err


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")
