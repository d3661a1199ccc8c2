"""The Ray engine without a cluster: what it refuses, how fast, and what it makes of a cluster's resources."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from genbench.api import Task
from genbench.errors import GenbenchError, RequestError
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import planning
from genbench.runs.settings import RunSettings, make_engine
from genbench_plugins.engines import ray_cluster
from genbench_plugins.engines.ray_engine import RayEngine

Cli = Callable[[str], tuple[int, str, str]]


def test_without_ray_a_line_says_how_to_install_it(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    code, _, said = cli(f"run --engine ray --models gaussian --seeds 1 --reference none --results {tmp_path}/results")
    assert code == 2
    assert said.splitlines()[-1] == (
        "genbench: engine ray: Ray is not installed; run: python -m pip install 'genbench[ray]'"
    )


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:port", "", "http://head:6379", "a\nb:1x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(
        GenbenchError, match="engine ray: address '.*': expected auto or HOST:PORT, as in 10.0.0.1:6379"
    ):
        RayEngine(address=address).submit(Task("t", "{}"), 1)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "127.0.0.1:99999", "no-such-host.invalid:6379"])
def test_where_nothing_answers_it_says_so_within_seconds(address: str) -> None:
    began = time.process_time()
    with pytest.raises(
        GenbenchError, match=r"no Ray cluster answers at .* \(.+\); expected one that this machine is part of"
    ):
        RayEngine(address=address).submit(Task("t", "{}"), 1)
    assert time.process_time() - began < 5


def test_on_a_machine_of_no_cluster_it_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(GenbenchError, match="no Ray cluster runs on this machine; start one: ray start --head"):
        RayEngine().submit(Task("t", "{}"), 1)


def test_auto_is_the_cluster_that_was_started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    with pytest.raises(GenbenchError, match="no Ray cluster answers at 127.0.0.1:1"):
        RayEngine().submit(Task("t", "{}"), 1)


@pytest.mark.parametrize(
    ("resources", "cpus", "gpus", "fit"),
    [
        ({"CPU": 8.0}, 1, 0, 8),
        ({"CPU": 8.0}, 3, 0, 2),
        ({"CPU": 2.0}, 4, 0, 0),
        ({}, 1, 0, 0),
        ({"CPU": 8.0}, 1, 1, 0),
        ({"CPU": 8.0, "GPU": 2.0}, 1, 1, 2),
        ({"CPU": 32.0, "GPU": 2.0}, 1, 1 / 3, 6),
        ({"CPU": 4.0, "GPU": 2.0}, 1, 1 / 3, 4),
        ({"CPU": 32.0, "GPU": 1.0}, 1, 0.4, 2),
    ],
)
def test_room_is_counted_by_processors_and_parts_of_gpus(resources: dict[str, float], cpus: int, gpus: float, fit: int) -> None:  # fmt: skip
    assert ray_cluster._room_on(resources, cpus, gpus) == fit


def test_how_many_jobs_is_the_clusters_to_say_unless_it_is_given() -> None:
    resolver = Resolver(load_registry())

    def jobs(engine: str, **given: int) -> object:
        return make_engine(resolver, RunSettings(engine=engine, **given), trials=3, is_timed=False).settings["jobs"]

    assert jobs("ray") is None
    assert jobs("ray", jobs=5) == jobs("ray[jobs=5]") == 5
    assert jobs("process") is not None


def planned(results: Path, **given: object) -> planning.Plan:
    return planning.plan(RunSettings("gaussian", engine="ray", seeds=1, reference="none", results=results, **given))


def test_the_gpus_are_those_of_the_nodes(tmp_path: Path) -> None:
    assert planned(tmp_path, device="cuda").gpus == 1
    assert planned(tmp_path, device="cuda", jobs_per_gpu=4, jobs=8).gpus == 0.25
    assert planned(tmp_path, device="cpu").gpus == 0
    with pytest.raises(RequestError, match="--device cuda:1: engine ray chooses the GPU; expected auto, cpu or cuda"):
        planned(tmp_path, device="cuda:1")


def test_it_is_listed_and_closed_without_importing_ray() -> None:
    code = (
        "import sys; from genbench_plugins.engines.ray_engine import RayEngine as E; e = E(); assert e.slots == 1; "
        "e.close(); e.close(); sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ.copy(), check=False).returncode == 0
