"""Where original files and prepared arrays live, asked of the environment at each call."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from genbench.errors import DataError, printable


def data_folder() -> Path:
    """Return the folder of original files: $GENBENCH_DATA, else the user's data folder. It need not exist.

    Without a home it is in the cache folder, so that a user without one has a single variable to set.
    """
    if path := os.environ.get("GENBENCH_DATA"):
        return _absolute(path)
    from platformdirs import user_data_path

    try:
        return _at_home(user_data_path("genbench", appauthor=False))
    except RuntimeError:
        return cache_folder() / "data"


@contextlib.contextmanager
def originals() -> Iterator[Path]:
    """Yield the data folder to read from and download to.

    Raises DataError for what fails inside where the folder is none: a dataset that needs no original file works then.
    """
    folder = data_folder()
    try:
        yield folder
    except Exception as error:
        above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if above.is_dir():
            raise
        raise DataError(
            f"{printable(above)} is no folder; expected one for original files, in GENBENCH_DATA"
        ) from error


def cache_folder() -> Path:
    """Return the folder of what can be made again: $GENBENCH_CACHE, else the user's cache folder. It need not exist.

    Where others may write to it, it is a folder in it that only this user may write to: what lies there is believed.
    Raises DataError for a user without a home who has not set the variable.
    """
    if path := os.environ.get("GENBENCH_CACHE"):
        return _own(_absolute(path))
    from platformdirs import user_cache_path

    try:
        return _own(_at_home(user_cache_path("genbench", appauthor=False)))
    except RuntimeError as error:
        raise DataError("this user has no home folder; expected one in HOME, or a folder in GENBENCH_CACHE") from error


def _own(folder: Path) -> Path:
    """Return a folder, or one in it for this user alone, where others can put something into it."""
    try:
        state = folder.stat()
    except OSError:
        return folder  # it is not there yet; what else is wrong is reported when it is used
    if not _is_open_to_others(state):
        return folder
    mine = folder / f"user-{os.geteuid()}"
    with contextlib.suppress(OSError):
        mine.mkdir(mode=0o700)
    with contextlib.suppress(FileNotFoundError):
        state = mine.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or _is_open_to_others(state):
            raise DataError(
                f"{printable(mine)} can be written to by others; expected a folder of one's own in a cache folder that "
                "is shared. Remove it, or set GENBENCH_CACHE to another folder"
            )
    return mine


def _is_open_to_others(state: os.stat_result) -> bool:
    """Return whether a folder is another user's, root apart, or others may write to it, the user's own group apart."""
    is_of_own_group = (state.st_uid, state.st_gid) == (os.geteuid(), os.getegid())
    is_shared = state.st_mode & stat.S_IWOTH or (state.st_mode & stat.S_IWGRP and not is_of_own_group)
    return bool(is_shared or state.st_uid not in (0, os.geteuid()))


def _absolute(path: str) -> Path:
    return Path(os.path.expanduser(path)).absolute()


def _at_home(folder: Path) -> Path:
    """Return the folder. Raises RuntimeError where it begins with a ~ that stands for nothing, as platformdirs may."""
    if not folder.is_absolute():
        raise RuntimeError(f"{folder} is in no home")
    return folder
