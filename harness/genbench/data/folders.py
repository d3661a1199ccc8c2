"""Where original files and prepared arrays live, asked of the environment at each call."""

import os
from pathlib import Path

from genbench.errors import DataError


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


def cache_folder() -> Path:
    """Return the folder of what can be made again: $GENBENCH_CACHE, else the user's cache folder. It need not exist.

    Raises DataError for a user without a home who has not set the variable.
    """
    if path := os.environ.get("GENBENCH_CACHE"):
        return _absolute(path)
    from platformdirs import user_cache_path

    try:
        return _at_home(user_cache_path("genbench", appauthor=False))
    except RuntimeError as error:
        raise DataError("this user has no home folder; expected one in HOME, or a folder in GENBENCH_CACHE") from error


def _absolute(path: str) -> Path:
    return Path(os.path.expanduser(path)).absolute()


def _at_home(folder: Path) -> Path:
    """Return the folder. Raises RuntimeError where it begins with a ~ that stands for nothing, as platformdirs may."""
    if not folder.is_absolute():
        raise RuntimeError(f"{folder} is in no home")
    return folder
