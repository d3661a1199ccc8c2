"""Where original files and prepared arrays live, asked of the environment at each call."""

import os
from pathlib import Path

from genbench.errors import DataError


def data_folder() -> Path:
    """Return the folder of original files: $GENBENCH_DATA, else the user's data folder. It need not exist."""
    if path := os.environ.get("GENBENCH_DATA"):
        return _absolute(path)
    from platformdirs import user_data_path

    return _found(user_data_path("genbench", appauthor=False), "GENBENCH_DATA")


def cache_folder() -> Path:
    """Return the folder of what can be made again: $GENBENCH_CACHE, else the user's cache folder. It need not exist."""
    if path := os.environ.get("GENBENCH_CACHE"):
        return _absolute(path)
    from platformdirs import user_cache_path

    return _found(user_cache_path("genbench", appauthor=False), "GENBENCH_CACHE")


def _absolute(path: str) -> Path:
    return Path(os.path.expanduser(path)).absolute()


def _found(folder: Path, variable: str) -> Path:
    """Return a folder of the user's. Raises DataError where there is no home: else one named ~ would be made here."""
    if not folder.is_absolute():
        raise DataError(f"{folder}: this user has no home folder; expected HOME, or a folder in {variable}, to be set")
    return folder
