"""Measure what the harness costs beside the work it does: python benchmarks/speed/harness.py [overhead|jobs|store].

overhead  a model's training steps by the harness, beside the same steps in a bare loop, in turn in one process
jobs      200 tiny trials through two worker processes, beside one
store     5,000 trials: the memory of the driver on the way, then planning and printing them all by the command

Everything is written into a temporary folder. --trials makes `jobs` and `store` smaller, for a quick look.
"""

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from genbench.api import Split, TrainingData
from genbench.engines.schedule import Silent
from genbench.runs import execution, planning
from genbench.runs.planning import task
from genbench.runs.settings import RunSettings
from genbench.trial import seeding
from genbench.trial.identity import Assignment
from genbench.trial.torch_state import known_state
from genbench.trial.worker import perform_assignment, prepared

CPU = torch.device("cpu")


class BareRun:
    """What fit needs and nothing more: shuffled batches and a generator."""

    device = CPU
    epoch = step = 0

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def batches(self, data: Any, size: int, epochs: int) -> Iterator[Any]:
        """Yield (images, labels) in a new order each epoch."""
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(data)), size):
                yield data.images[rows], None if data.labels is None else data.labels[rows]

    def draw(self, data: Split[torch.Tensor], n: int) -> Any:
        """Return n examples drawn with replacement."""
        rows = torch.randint(len(data), (n,))
        return data.images[rows], None

    def log(self, **scalars: Any) -> None:
        """Log nothing."""


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare(assignment: Assignment) -> None:
    """Train a trial's model in a bare loop, under the same threads and switches."""
    trial = assignment.trial
    data = prepared(trial)
    splits = TrainingData(data.split("train", CPU), data.split("valid", CPU), data.space)
    with known_state(True, 1), seeding.seeded(0, "fit"):
        model = trial.model.instantiate()
        model.build(data.space, CPU)
        model.fit(splits, BareRun())


def overhead(folder: Path, repeats: int) -> None:
    """Print the ratio of a trial's fit, from its begin to its commit, to the bare loop."""
    for model in ("vae", "gan"):
        for every in (10.0, 1.0):
            ratios = [ratio(model, every, folder / f"{model}-{every}-{number}") for number in range(repeats)]
            print(
                f"{model}, a checkpoint every {every:g} s: {statistics.median(ratios):.3f} times the bare loop "
                f"({min(ratios):.3f} to {max(ratios):.3f}, {repeats} repeats)"
            )


def ratio(model: str, every: float, results: Path) -> float:
    """Return how many times as long a trial's fit takes as the bare loop."""
    planned = planning.plan(RunSettings(model, reference="none", seeds=1, results=results, checkpoint_every=every))
    assignment = Assignment.from_json(task(planned, planned.todo[0]).spec)
    fit_only = dataclasses.replace(assignment, metrics=()).to_json()
    return seconds(lambda: perform_assignment(fit_only)) / seconds(lambda: bare(assignment))


class Clock(Silent):
    """Notes when the first trial began and the last ended."""

    def __init__(self) -> None:
        self.began = self.over = 0.0

    def started(self, task: str) -> None:
        """Note when the first trial began: its worker is warm then."""
        self.began = self.began or time.perf_counter()

    def ended(self, task: str, outcome: Any) -> None:
        """Note when a trial ended."""
        self.over = time.perf_counter()


def jobs(folder: Path, trials: int) -> None:
    """Print how much faster two workers perform tiny trials than one, without and with the start of the workers."""
    warm, whole = {}, {}
    for number in (1, 2):
        clock, request = Clock(), {"seeds": trials, "jobs": number, "results": folder / str(number)}
        planned = planning.plan(RunSettings("vae[epochs=8]", reference="none", engine="process", **request))  # type: ignore[arg-type]
        whole[number] = seconds(lambda planned=planned, clock=clock: execution.execute(planned, clock))  # type: ignore[misc]
        warm[number] = clock.over - clock.began
        print(
            f"{trials} trials of vae[epochs=8], workers: {number}; {warm[number]:.1f} s, in all {whole[number]:.1f} s"
        )
    print(f"two workers are {warm[1] / warm[2]:.2f} times as fast as one; with their start {whole[1] / whole[2]:.2f}")


class Memory(Silent):
    """Notes the driver's memory as trials end."""

    def __init__(self) -> None:
        self.mib: list[float] = []

    def ended(self, task: str, outcome: Any) -> None:
        """Note the resident memory of this process, in MiB."""
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        self.mib.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def store(folder: Path, trials: int) -> None:
    """Print the driver's memory over many trials, and how long the command takes to plan and print them all."""
    memory = Memory()
    request = {"reference": "none", "metrics": "parzen[samples=1000]", "seeds": trials, "results": folder / "results"}
    settings = RunSettings("gaussian", engine="process", **request)  # type: ignore[arg-type]
    took = seconds(lambda: execution.execute(planning.plan(settings), memory))
    tenth = len(memory.mib) // 10
    print(f"{trials} trials of gaussian through two workers: {took:.0f} s")
    print(f"the driver's memory: {memory.mib[tenth]:.0f} MiB after a tenth of them, {memory.mib[-1]:.0f} MiB after all")
    again = "run --models gaussian --metric parzen[samples=1000] --reference none --seeds"
    for command in (f"{again} {trials}", "leaderboard"):
        wall = [seconds(lambda command=command: genbench(command, folder)) for _ in range(3)]  # type: ignore[misc]
        print(f"genbench {command}: {statistics.median(wall):.1f} s ({min(wall):.1f} to {max(wall):.1f})")


def genbench(command: str, folder: Path) -> None:
    """Run a command in a folder."""
    subprocess.run([sys.executable, "-m", "genbench", *command.split()], cwd=folder, check=True, capture_output=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["overhead", "jobs", "store"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--trials", type=int)
    given = parser.parse_args()
    for what in given.what:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if what == "overhead":
                overhead(folder, given.repeats)
            elif what == "jobs":
                jobs(folder, given.trials or 200)
            else:
                store(folder, given.trials or 5000)


if __name__ == "__main__":
    main()
