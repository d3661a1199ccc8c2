"""Every test has a data folder and a cache of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from the user's folders."""
    folder: Path = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("GENBENCH_DATA", str(folder / "data"))
    monkeypatch.setenv("GENBENCH_CACHE", str(folder / "cache"))
