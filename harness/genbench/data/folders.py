"""Where original files and prepared arrays live, asked of the environment at each call."""

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the folder of original files: $GENBENCH_DATA, else the user's data folder. It need not exist."""
    if path := os.environ.get("GENBENCH_DATA"):
        return _absolute(path)
    from platformdirs import user_data_path

    return user_data_path("genbench", appauthor=False)


def cache_folder() -> Path:
    """Return the folder of what can be made again: $GENBENCH_CACHE, else the user's cache folder. It need not exist."""
    if path := os.environ.get("GENBENCH_CACHE"):
        return _absolute(path)
    from platformdirs import user_cache_path

    return user_cache_path("genbench", appauthor=False)


def _absolute(path: str) -> Path:
    return Path(os.path.expanduser(path)).absolute()
