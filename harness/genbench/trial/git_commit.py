"""Which commit a folder's git repository is at, and whether files of it were changed. Nothing of the repository is run.

A repository may come from anyone, and its own configuration may name commands: a filter, a file system monitor. So its
few text files are read here, and git, where there is one, compares the files under an empty configuration.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

from genbench import files
from genbench.errors import GenbenchError

DIGITS = 12
"""How many digits of a commit are given."""

CHANGED, UNKNOWN = "+", "?"
"""What stands behind a commit where tracked files differ from it, and where that could not be told."""

PATIENCE = 3.0
"""Seconds that git may take to compare the files: a trial does not wait for a great repository on a slow disk."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/(?!.*\.\.)[^\s\x00]{1,500}")
_SHORT, _LONG = 4096, 1 << 24


def of(folder: Path) -> str | None:
    """Return the commit that is checked out where a folder is, 3f2a9c81d0b4: with + where it was changed, ? if unknown.

    Files that git does not track count for nothing. None where there is no repository, or no commit in it.
    """
    with contextlib.suppress(OSError, ValueError, GenbenchError):
        for tree in (folder, *folder.parents):
            if (tree / ".git").exists():
                place = _git_folder(tree)
                commit = _commit(place, _common(place))
                return f"{commit[:DIGITS]}{_mark(tree, place, commit)}" if commit else None
    return None


# Read from the repository's own files --------------------------------------------------------------------------------


def _git_folder(tree: Path) -> Path:
    """Return the folder .git, or what a file .git names: that of a worktree or a submodule."""
    place = tree / ".git"
    return place if place.is_dir() else tree / _text(place).removeprefix("gitdir:").strip()


def _common(place: Path) -> Path:
    """Return where branches and objects lie: a worktree shares those of its repository."""
    return place / _text(place / "commondir").strip() if (place / "commondir").exists() else place


def _commit(place: Path, common: Path) -> str | None:
    """Return the commit of HEAD, directly or by its branch."""
    head = _text(place / "HEAD").strip()
    if not head.startswith("ref:"):
        return _checked(head)
    ref = head.removeprefix("ref:").strip()
    if not _REF.fullmatch(ref):
        return None
    if (common / ref).exists():
        return _checked(_text(common / ref).strip())
    return _checked(next((line.split()[0] for line in _packed(common) if line.endswith(f" {ref}")), ""))


def _packed(common: Path) -> list[str]:
    path = common / "packed-refs"
    return _text(path, _LONG).splitlines() if path.exists() else []


def _checked(text: str) -> str | None:
    return text if _COMMIT.fullmatch(text) else None


def _text(path: Path, most: int = _SHORT) -> str:
    return files.read_plain(path, most).decode("utf-8")


# Asked of git --------------------------------------------------------------------------------------------------------


def _mark(tree: Path, place: Path, commit: str) -> str:
    """Return + where tracked files differ from a commit, "" where none does, ? where git does not tell."""
    with contextlib.suppress(OSError, subprocess.SubprocessError), tempfile.TemporaryDirectory() as empty:
        _write_empty_repository(Path(empty), commit)
        settings = {
            "GIT_DIR": empty,
            "GIT_WORK_TREE": os.fspath(tree),
            "GIT_INDEX_FILE": os.fspath(place.absolute() / "index"),
            "GIT_OBJECT_DIRECTORY": os.fspath(_common(place).absolute() / "objects"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",  # the index is read, and not written
            "GIT_NO_LAZY_FETCH": "1",
        }
        outer = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        status = ["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"]
        command = ["git", "-c", "core.fileMode=false", *status]  # some disks keep no modes
        done = subprocess.run(
            command, env=outer | settings, cwd=tree, capture_output=True, timeout=PATIENCE, check=True
        )
        return CHANGED if done.stdout else ""
    return UNKNOWN


def _write_empty_repository(folder: Path, commit: str) -> None:
    """Write a repository without configuration, attributes and hooks whose HEAD is a commit."""
    (folder / "HEAD").write_text(f"{commit}\n")
    (folder / "refs").mkdir()
    (folder / "objects").mkdir()
