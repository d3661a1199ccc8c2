"""What every test gets: one thread per process set before torch is imported, folders of its own, and the real data."""

import itertools
import os
import shlex

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray_nodes import RayNodes

collect_ignore = ["outside_plugin"]  # a project of its own, with its own pytest
COUNTER = itertools.count()


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
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[int, str, str]]:
    """Return a function that runs a command line: (exit code, stdout, stderr)."""

    from genbench.cli import main

    def run(line: str) -> tuple[int, str, str]:
        code = main(shlex.split(line))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """Install the toy plugin for one test; return its distribution's name."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "toy_plugin")
    monkeypatch.setenv("GENBENCH_PLUGINS", "genbench-toy")
    return "genbench-toy"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Return a function that installs a distribution of one module beside the built-in one, and returns its name."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.delenv("GENBENCH_PLUGINS")

    def make(distribution: str, source: str) -> str:
        module = f"made_{distribution.replace('-', '_')}_{next(COUNTER)}"  # of its own: imported modules outlive a test
        (site / f"{module}.py").write_text(source)
        info = site / f"{distribution.replace('-', '_')}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(f"[genbench]\n{distribution}-point = {module}\n")
        return module

    return make


@pytest.fixture(scope="session")
def ray_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    """Start a Ray cluster of two nodes on this machine; end it with the session. One at a time, however many workers."""
    from filelock import FileLock

    with FileLock(tmp_path_factory.getbasetemp().parent / "ray.lock"), RayNodes() as nodes:
        yield nodes
