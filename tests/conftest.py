"""What every test gets: one thread per process set before torch is imported, folders of its own, and the real data."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from pathlib import Path

import pytest

collect_ignore = ["outside_plugin"]  # a project of its own, with its own pytest


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's data, cache, plugins and working folder."""
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("GENBENCH_PLUGINS", "")
    monkeypatch.setenv("GENBENCH_ENGINE", "inline")  # no worker processes but where they are what is tested


@pytest.fixture
def real_data() -> Path:
    """Return the folder with the real MNIST and CIFAR-10, or skip."""
    folder = os.environ.get("GENBENCH_TEST_DATA")
    if not folder:
        pytest.skip("GENBENCH_TEST_DATA is not set: it names a folder with the real MNIST/raw and cifar10")
    return Path(folder).resolve()


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """Install the toy plugin for one test; return its distribution's name."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "toy_plugin")
    monkeypatch.setenv("GENBENCH_PLUGINS", "genbench-toy")
    return "genbench-toy"
