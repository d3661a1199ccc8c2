"""What a GPU does to trials that share it, on the stand-in: failed assertions, memory that ran out, learned state."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import TESTS

from genbench.engines import gpus
from genbench.store.store import Store

HERE = TESTS
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
class Remembering(genbench.Model):
    '''Keeps a random generator of the device that it is trained on.'''

    version: ClassVar[int] = 1
    sample_batch: ClassVar[int] = 100

    def build(self, space, device):
        self.space = space
        self.draws_ = torch.Generator(device)

    def fit(self, data, run):
        self.mean_ = data.train.images.mean(0)

    def sample(self, n, generator):
        return self.mean_.expand(n, *self.mean_.shape).contiguous()


@dataclass(eq=False)
class Host(Remembering):
    '''Runs out of the memory that is no GPU's.'''

    def fit(self, data, run):
        raise MemoryError("on purpose")


@dataclass(eq=False)
class Crowded(Remembering):
    '''Runs out of a GPU's memory, of which another program holds most.'''

    def fit(self, data, run):
        torch.cuda.mem_get_info = lambda device=None: (1 << 20, 4 << 30)
        raise RuntimeError("CUDA error: out of memory")


@dataclass(eq=False)
class Greedy(genbench.Model):
    '''Needs three quarters of the GPU's memory for a moment.'''

    version: ClassVar[int] = 1
    mib: int = 768

    def build(self, space, device):
        self.space, self.device = space, device

    def fit(self, data, run):
        for images, _ in run.batches(data.train, size=100, epochs=2):
            self.mean_ = images.mean(0)
        torch.empty(self.mib, 2**20, dtype=torch.uint8, device=self.device)

    def sample(self, n, generator):
        return self.mean_.expand(n, *self.mean_.shape).contiguous()
"""


def genbench(folder: Path, *arguments: str, mib: int = 1024) -> subprocess.CompletedProcess[str]:
    """Run the command on the stand-in, whose GPU has so many MiB, in a folder."""
    (folder / "mine.py").write_text(PLUGINS)
    environment = {name: value for name, value in os.environ.items() if name != "GENBENCH_ENGINE"}
    environment |= {
        "PYTHONPATH": str(HERE / "standin"),
        "GENBENCH_STANDIN": "1",
        "GENBENCH_STANDIN_MIB": str(mib),
    }
    device = () if "--device" in arguments else ("--device", "cuda")
    return subprocess.run(
        [sys.executable, "-m", "genbench", "run", *device, *arguments, "--reference", "none"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def records(folder: Path) -> list[Any]:
    return [record for _, record in Store(folder / "results").all()]


@pytest.mark.slow
def test_a_metric_that_loses_the_gpu_costs_its_own_score_alone(tmp_path: Path) -> None:
    done = genbench(
        tmp_path, "--models", "gaussian", "--seeds", "2", "--jobs", "1",
        "--metric", f"{','.join(f'./mine.py:Asserting[samples={n}]' for n in range(10, 14))},parzen[samples=100]",
    )  # fmt: skip
    assert done.returncode == 1, done
    for record in records(tmp_path):
        assert record.status == "done", record.reason
        problems = {told["metric"]["label"]: told["problem"] for told in record.wanted.values()}
        assert problems.pop("parzen[samples=100]") == ""
        assert len(problems) == 4  # more than a trial has attempts: each costs its own score alone
        assert all("device-side assert" in problem for problem in problems.values())
        assert {stage.partition("-")[0] for stage in record.stages} >= {"parzen"}
    assert len(records(tmp_path)) == 2


@pytest.mark.slow
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


@pytest.mark.slow
def test_out_of_memory_with_a_whole_gpu_is_settled(tmp_path: Path) -> None:
    done = genbench(
        tmp_path, "--models", "./mine.py:Greedy[mib=1100]", "--seeds", "1", "--metric", "parzen[samples=100]"
    )
    assert done.returncode == 1, done
    assert [record.status for record in records(tmp_path)] == ["out-of-memory"]


@pytest.mark.slow
def test_memory_that_other_programs_hold_settles_nothing(tmp_path: Path) -> None:
    job = ("--models", "./mine.py:Crowded", "--seeds", "1", "--jobs-per-gpu", "1", "--metric", "parzen[samples=100]")
    for _ in range(2):  # it is tried again
        done = genbench(tmp_path, *job)
        assert "0 in the store" in done.stderr
        (record,) = records(tmp_path)
        assert record.status == "interrupted"
        assert "out of memory while other programs held 4.0 GiB of the GPU's memory" in record.reason


@pytest.mark.slow
def test_memory_of_the_host_is_not_called_the_gpus(tmp_path: Path) -> None:
    done = genbench(
        tmp_path, "--models", "./mine.py:Host", "--seeds", "2", "--jobs-per-gpu", "2", "--metric", "parzen[samples=100]"
    )
    assert "beside others" not in done.stdout + done.stderr
    assert {record.status for record in records(tmp_path)} == {"out-of-memory"}


@pytest.mark.slow
def test_a_gpu_without_memory_left_blames_no_trial(tmp_path: Path) -> None:
    done = genbench(tmp_path, "--models", "gaussian", "--seeds", "1", "--metric", "parzen[samples=100]", mib=0)
    assert done.returncode == 1, done
    assert "unexpected" not in done.stderr
    assert {record.status for record in records(tmp_path)} <= {"interrupted", "out-of-memory"}


@pytest.mark.slow
def test_a_device_that_cannot_take_up_what_is_stored_costs_no_results(tmp_path: Path) -> None:
    job = ("--models", "./mine.py:Remembering", "--seeds", "1", "--metric")
    assert genbench(tmp_path, *job, "parzen[samples=100]").returncode == 0
    other = genbench(tmp_path, *job, "parzen[samples=300]", "--device", "cpu")
    assert other.returncode == 1, other
    assert "a random generator of cuda, which cpu cannot take up; give --device cuda" in other.stderr
    assert genbench(tmp_path, *job, "parzen[samples=100],parzen[samples=300]").returncode == 0
    assert [record.status for record in records(tmp_path)] == ["done"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--jobs-per-gpu 2 --jobs 8", "--jobs is given too; expected one of them"),
        pytest.param(
            "--jobs-per-gpu 2 --engine inline", "engine inline performs one trial after", marks=pytest.mark.slow
        ),
        ("--jobs-per-gpu 2 --device cpu", "trials run on the CPU here; use --jobs, or --device cuda"),
        pytest.param("--device cuda:00", "expected auto, cpu, cuda or cuda:N", marks=pytest.mark.slow),
    ],
)
def test_numbers_of_trials_that_would_have_no_effect_are_refused(arguments: str, message: str, tmp_path: Path) -> None:
    done = genbench(tmp_path, "--models", "gaussian", *arguments.split(), "--dry-run")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


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
