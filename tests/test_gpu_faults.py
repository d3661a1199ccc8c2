"""What a GPU does to trials that share it, on the stand-in: failed assertions, memory that ran out, learned state."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genbench.engines import gpus
from genbench.store.store import Store

HERE = Path(__file__).parent
PLUGINS = """
from dataclasses import dataclass
from typing import ClassVar

import genbench
import torch


@dataclass(eq=False)
class Asserting(genbench.Metric):
    '''Reads beyond the end of a tensor: on a GPU an assertion fails, and its context is lost.'''

    version: ClassVar[int] = 1
    title: ClassVar[str] = "asserting"
    unit: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    samples: int = 10

    def evaluate(self, evaluation):
        x = evaluation.samples(self.samples)
        x[torch.full((1,), 10**6, device=x.device)]
        return genbench.Score(0.0)


@dataclass(eq=False)
class Greedy(genbench.Model):
    '''Needs three quarters of the GPU's memory for a moment.'''

    version: ClassVar[int] = 1
    mib: int = 48

    def build(self, space, device):
        self.space, self.device = space, device

    def fit(self, data, run):
        for images, _ in run.batches(data.train, size=100, epochs=2):
            self.mean_ = images.mean(0)
        torch.empty(self.mib, 2**20, dtype=torch.uint8, device=self.device)

    def sample(self, n, generator):
        return self.mean_.expand(n, *self.mean_.shape).contiguous()
"""


def genbench(folder: Path, *arguments: str, mib: int = 64) -> subprocess.CompletedProcess[str]:
    """Run the command on the stand-in, whose GPU has so many MiB, in a folder."""
    (folder / "mine.py").write_text(PLUGINS)
    environment = {name: value for name, value in os.environ.items() if name != "GENBENCH_ENGINE"}
    environment |= {
        "PYTHONPATH": str(HERE / "standin"),
        "GENBENCH_STANDIN": "1",
        "GENBENCH_STANDIN_MIB": str(mib),
    }
    return subprocess.run(
        [sys.executable, "-m", "genbench", "run", *arguments, "--reference", "none", "--device", "cuda"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def records(folder: Path) -> list[Any]:
    return [record for _, record in Store(folder / "results").all()]


def test_a_metric_that_loses_the_gpu_costs_its_own_score_alone(tmp_path: Path) -> None:
    done = genbench(
        tmp_path, "--models", "gaussian", "--seeds", "2", "--jobs", "1",
        "--metric", "./mine.py:Asserting,parzen[samples=100],fid[pixels,samples=100]",
    )  # fmt: skip
    assert done.returncode == 1, done
    for record in records(tmp_path):
        assert record.status == "done"
        problems = {told["metric"]["name"]: told["problem"] for told in record.wanted.values()}
        assert "device-side assert" in problems.pop("asserting")
        assert problems == {"parzen": "", "fid": ""}
        assert {stage.partition("-")[0] for stage in record.stages} >= {"parzen", "fid"}
    assert len(records(tmp_path)) == 2


def test_out_of_memory_beside_others_is_tried_again_with_a_whole_gpu(tmp_path: Path) -> None:
    done = genbench(
        tmp_path, "--models", "./mine.py:Greedy,gaussian", "--seeds", "2", "--jobs-per-gpu", "2",
        "--metric", "parzen[samples=100]",
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "2 share a GPU" in done.stderr
    assert done.stdout.count("ran out of memory beside others on its GPU, and was tried again with a whole one") == 2
    assert {record.status for record in records(tmp_path)} == {"done"}
    shares = {(record.model["name"], record.environment["gpu_share"]) for record in records(tmp_path)}
    assert shares == {("greedy", 1.0), ("gaussian", 0.5)}


def test_out_of_memory_with_a_whole_gpu_is_settled(tmp_path: Path) -> None:
    done = genbench(tmp_path, "--models", "./mine.py:Greedy[mib=65]", "--seeds", "1", "--metric", "parzen[samples=100]")
    assert done.returncode == 1, done
    assert [record.status for record in records(tmp_path)] == ["out-of-memory"]


def test_steps_of_an_optimiser_come_back_on_the_cpu(tmp_path: Path) -> None:
    """On the GPU they would make Adam wait for each parameter in each step."""
    code = """
import sys, torch
from types import SimpleNamespace
from pathlib import Path
from genbench.trial import state
cuda = torch.device("cuda")
def made():
    layer = torch.nn.Linear(2, 1).to(cuda)
    return SimpleNamespace(layer_=layer, adam_=torch.optim.Adam(layer.parameters()), host_=None, mine_=None, theirs_=None)
a = made()
a.layer_(torch.ones(1, 2, device=cuda)).sum().backward(); a.adam_.step()
a.host_, a.mine_, a.theirs_ = torch.ones(3), torch.Generator(), torch.Generator(cuda)
path = Path(sys.argv[1])
state.save(a, path, device=cuda)
b = made()
state.restore(b, path, cuda)
step = next(iter(b.adam_.state.values()))
print(step["step"].device.type, step["exp_avg"].device.type, b.host_.device.type, b.mine_.device.type, b.theirs_.device.type)
"""
    environment = {**os.environ, "PYTHONPATH": str(HERE / "standin"), "GENBENCH_STANDIN": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "state")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["cpu", "cuda", "cpu", "cpu", "cuda"], done.stderr


@pytest.mark.parametrize(
    ("visible", "device", "jobs", "expected"),
    [("0", "cuda", 5, 0.2), ("0,1", "cuda", 5, 1 / 3), ("0,1", "cuda:1", 2, 0.5), ("0,1", "cuda", 2, 1.0), ("0", "cpu", 9, 0.0)],
)  # fmt: skip
def test_each_trial_has_its_share_of_a_gpu(
    visible: str, device: str, jobs: int, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.share(device, jobs) == expected


@pytest.mark.parametrize(
    ("gib", "cores", "is_timed", "expected"), [(80, 16, False, 5), (24, 16, False, 3), (80, 2, False, 2), (80, 16, True, 1), (4, 1, False, 1)]
)  # fmt: skip
def test_by_default_as_many_share_a_gpu_as_have_room(
    gib: int, cores: int, is_timed: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: type("Properties", (), {"total_memory": gib << 30})
    )
    assert gpus.default_per_gpu("cuda", 1, is_timed) == expected
