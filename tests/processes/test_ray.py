"""Trials on a real Ray cluster of two nodes: the bits of one process, whoever is killed on the way."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from places import TESTS
from ray_nodes import RayNodes
from trials import contents_of
from waiting_for import interrupted_twice, wait_for

from genbench import __version__
from genbench.errors import GenbenchError
from genbench.runs import execution
from genbench.store.store import Store
from genbench_plugins.engines import ray_engine, ray_slot

pytestmark = pytest.mark.slow

CARRYING = "ray[shares_files=false]"

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def nodes(ray_nodes: RayNodes, monkeypatch: pytest.MonkeyPatch) -> RayNodes:
    ray_nodes.have_two()
    monkeypatch.setenv("RAY_ADDRESS", ray_nodes.address)
    return ray_nodes


@pytest.fixture
def run(nodes: RayNodes, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., execution.Report]:
    monkeypatch.chdir(tmp_path)

    def go(models: str, **rest: Any) -> execution.Report:
        return execution.run(models, **{"metrics": "brightness", "reference": "none", "seeds": 1, "engine": "ray", **rest})  # fmt: skip

    return go


@pytest.fixture
def start(nodes: RayNodes, toy: str, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the command on the cluster; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []
    path = os.pathsep.join([str(TESTS / "toy_plugin"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "GENBENCH_ENGINE": "ray"}

    def go(*arguments: str, more: dict[str, str] | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "genbench", "run", "--reference", "none"]
        command += [] if "--metric" in arguments else ["--metric", "brightness"]
        process = subprocess.Popen(
            [*command, *arguments],
            env={**environment, **(more or {})},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()


def workers() -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if "genbench.engines.worker_main" in (p.info["cmdline"] or [])]


def of_this_test(tmp_path: Path) -> list[psutil.Process]:
    """Return the worker processes that work in this test's folder."""
    found = []
    for process in workers():
        try:
            found += [process] if process.cwd() == str(tmp_path) else []
        except psutil.Error:
            continue
    return found


def inline(models: str, tmp_path: Path, **rest: Any) -> dict[str, Any]:
    """Return what an undisturbed run in this process stores."""
    execution.run(models, metrics="brightness", reference="none", engine="inline", results=tmp_path / "inline", checkpoint_every=0, **rest)  # fmt: skip
    return contents_of(tmp_path / "inline")


def test_the_bits_are_those_of_one_process(run: Any, tmp_path: Path) -> None:
    models = "layered,gan[epochs=2],vae[epochs=2],kmeans"
    report = run(models, seeds=2)
    assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    assert of_this_test(tmp_path) == []
    found = contents_of(Path("results"))
    assert found == inline(models, tmp_path, seeds=2)


def test_without_shared_folders_the_bits_are_the_same(run: Any, tmp_path: Path) -> None:
    report = run("layered,toy", seeds=1, engine=CARRYING, checkpoint_every=0)
    assert {outcome.status for outcome in report.outcomes.values()} == {"done"}
    assert contents_of(Path("results")) == inline("layered,toy", tmp_path, seeds=1)
    assert not [path for path in Path("results").rglob("*") if path.name.startswith("checkpoint-")]


def test_a_model_that_eats_its_memory_costs_its_own_trial_alone(run: Any) -> None:
    report = run("faulty[fault=eats],faulty[fault=crashes],toy", engine="ray[memory=1500]")
    names = {trial.id: trial.model.label for trial in report.plan.grid.trials()}
    ended = {names[trial]: (outcome.status, outcome.reason) for trial, outcome in report.outcomes.items()}
    assert ended["toy"][0] == "done"
    assert ended["faulty[fault=eats]"][0] == "out-of-memory"
    assert ended["faulty[fault=crashes]"] == ("failed", "its process died of SIGSEGV; see output.txt")


@pytest.mark.parametrize(("stage", "engine"), [("fit", "ray"), ("sample", "ray"), ("fit", CARRYING)])
def test_a_node_killed_in_a_stage_costs_nothing(
    stage: str, engine: str, start: Start, nodes: RayNodes, tmp_path: Path
) -> None:
    (tmp_path / "held").mkdir()
    model = f'held[stage={stage},folder="{tmp_path}/held"]'
    process = start("--models", model, "--seeds", "2", "--checkpoint-every", "0", "--engine", engine)
    wait_for(lambda: len(list((tmp_path / "held").iterdir())) == 2)
    newest = "model.safetensors" if stage == "sample" else "loop00001-000000024-*"
    wait_for(lambda: len(list((tmp_path / "results").rglob(newest))) == 2)
    nodes.kill_a_node()
    (tmp_path / "held" / "go").touch()
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "raylet" not in out + said
    if stage == "fit":
        steps = sorted(path.name.partition("-")[2] for path in (tmp_path / "held").iterdir() if path.name != "go")
        assert steps[0] == "1"  # the second attempt went on from the last step of the first
        assert steps[1] == steps[2] == "5"
    inline(f"held[stage={stage}]", tmp_path, seeds=2)
    assert of_stages(tmp_path / "results") == of_stages(tmp_path / "inline")


def of_stages(results: Path) -> dict[str, str]:
    """Return the checksums of all stored files by trial and name."""
    return {
        f"{record.id}/{name}": file["sha256"]
        for _, record in Store(results).all()
        for stage in record.stages.values()
        for name, file in stage.files.items()
    }


def test_a_node_killed_between_trials_costs_nothing(start: Start, nodes: RayNodes, tmp_path: Path) -> None:
    process = start("--models", "toy[epochs=5]", "--seeds", "5")
    wait_for(lambda: len([p for p in tmp_path.rglob("trial.json") if '"status": "done"' in p.read_text()]) >= 2)
    nodes.kill_a_node()
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    inline("toy[epochs=5]", tmp_path, seeds=5)
    assert of_stages(tmp_path / "results") == of_stages(tmp_path / "inline")


def test_a_driver_killed_and_begun_again_comes_to_the_same_bits(start: Start, tmp_path: Path) -> None:
    (tmp_path / "held").mkdir()
    arguments = ("--models", f'held[folder="{tmp_path}/held"],layered', "--seeds", "1")
    process = start(*arguments)
    wait_for(lambda: list((tmp_path / "held").iterdir()))
    process.kill()
    process.wait()
    (tmp_path / "held" / "go").touch()
    process = start(*arguments)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    inline("held,layered", tmp_path, seeds=1)
    assert of_stages(tmp_path / "results") == of_stages(tmp_path / "inline")
    wait_for(lambda: not of_this_test(tmp_path))


def test_asked_once_it_stops_after_saving(start: Start, tmp_path: Path) -> None:
    process = start("--models", "toy[epochs=1000000]", "--seeds", "3", "--checkpoint-every", "0")
    wait_for(lambda: len(list(tmp_path.rglob("checkpoint-*/loop00000-*"))) >= 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted: 0 of 3 trials are done; what was under way is saved" in said
    assert "Traceback" not in said
    assert of_this_test(tmp_path) == []


def test_asked_twice_it_stops_at_once(start: Start, tmp_path: Path) -> None:
    process = start("--models", "faulty[fault=hangs]", "--seeds", "2")
    wait_for(lambda: len(list(tmp_path.rglob("trial.json"))) == 2)
    said = interrupted_twice(process)  # the model sleeps for 600 s
    assert "interrupted at once" in said
    wait_for(lambda: not of_this_test(tmp_path))


def test_two_drivers_on_one_cluster_do_each_trial_once(start: Start, tmp_path: Path) -> None:
    first, second = (start("--models", "toy", "--seeds", "3") for _ in range(2))
    said = [process.communicate(timeout=300)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert [record.attempts for _, record in Store(tmp_path / "results").all()] == [1] * 3
    assert all("3/3" in each for each in said)


GREEDY = """
from dataclasses import dataclass
from typing import ClassVar

import genbench
import torch


@dataclass(eq=False)
class Greedy(genbench.Model):
    version: ClassVar[int] = 1

    def build(self, space, device):
        self.space, self.device = space, device

    def fit(self, data, run):
        self.mean_ = data.train.images.mean(0)
        torch.empty(768, 2**20, dtype=torch.uint8, device=self.device)  # of 1024 MiB

    def sample(self, n, generator):
        return self.mean_.expand(n, *self.mean_.shape).contiguous()
"""


def test_trials_share_a_gpu_and_its_memory_and_one_that_ran_out_has_it_alone(start: Start, tmp_path: Path) -> None:
    """On the stand-in for CUDA, which the worker processes alone have: the driver's machine has no GPU."""
    (tmp_path / "mine.py").write_text(GREEDY)
    standin = {"PYTHONPATH": str(TESTS / "standin"), "GENBENCH_STANDIN_MIB": "1024", "GENBENCH_STANDIN": "1"}
    models = ("--models", "./mine.py:Greedy,gaussian", "--seeds", "1", "--metric", "parzen[samples=100]")
    process = start(*models, "--device", "cuda", "--jobs-per-gpu", "2", more={"GENBENCH_PLUGINS": "", **standin})
    out, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "as many jobs as there is room for x 1 thread, 2 share a GPU" in said
    assert out.count("ran out of memory beside others on its GPU, and was tried again with a whole one") == 1
    shares = {record.model["name"]: record.environment["gpu_share"] for _, record in Store(tmp_path / "results").all()}
    assert shares == {"greedy": 1.0, "gaussian": 0.5}


def test_a_trial_on_the_cpu_sees_no_gpu(start: Start, tmp_path: Path) -> None:
    said = "print('sees', repr(__import__('os').environ.get('CUDA_VISIBLE_DEVICES'))); self.mean_ = "
    (tmp_path / "mine.py").write_text(GREEDY.replace("self.mean_ = ", said))
    process = start(
        "--models", "./mine.py:Greedy", "--seeds", "2", "--metric", "parzen[samples=100]", "--device", "cpu"
    )
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    assert {path.read_text() for path in (tmp_path / "results").rglob("output.txt")} == {"sees ''\n"}


def test_the_nodes_are_seen_with_their_versions_and_gpus(
    nodes: RayNodes, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    code, out, _ = cli(f"doctor --engine ray --results {tmp_path}/results")
    assert code == 0
    seen = re.findall(r"node \S+ \([0-9.]+\) +(\d CPU, \d GPUs?); python 3\S+, genbench (\S+), torch \S+: ok", out)
    assert sorted(seen) == [("1 CPU, 0 GPUs", __version__), ("1 CPU, 1 GPU", __version__)]
    monkeypatch.setattr(ray_engine, "versions", lambda: {"python": "3.99", "genbench": "9.9", "torch": "9"})
    code, out, _ = cli(f"doctor --engine ray --results {tmp_path}/results")
    assert code == 1
    assert out.count("REFUSED: expected python 3.99, genbench 9.9, torch 9, as on this machine") == 2


def test_a_node_of_another_version_or_without_the_folder_is_refused(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ray_slot, "inode", lambda folder: -1)
        with pytest.raises(GenbenchError, match=r"node .* does not share .*/results; expected a folder that all nodes"):
            run("toy")
    monkeypatch.setattr(ray_slot, "versions", lambda: {"python": "3.99", "genbench": "9.9", "torch": "9"})
    with pytest.raises(
        GenbenchError, match=r"node .* has python 3\..*; expected python 3.99, genbench 9.9, torch 9 as on"
    ):
        run("toy")
