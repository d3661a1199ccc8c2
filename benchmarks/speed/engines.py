"""Measure trials on a Ray cluster beside worker processes: python benchmarks/speed/engines.py [tiny|nodes|memory].

tiny    tiny trials through two workers of the process engine and two nodes of a CPU each, in turn, from the first that
        began to the last that ended: neither connecting nor the start of workers counts
nodes   longer trials on one of the nodes, and on two
memory  the memory of the driver after a tenth of many tiny trials, and after all

It starts the cluster on this machine and ends it. --trials and --repeats make it smaller, for a quick look.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

from harness import Clock

from genbench.runs import execution, planning
from genbench.runs.settings import RunSettings

STORE = 80 * 2**20


@contextmanager
def two_nodes() -> Iterator[str]:
    """Yield the engine that places trials on a cluster of two nodes of a CPU each."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        yield f"ray[address={cluster.address}]"
    finally:
        cluster.shutdown()


def seconds(model: str, trials: int, results: Path, engine: str, jobs: int, clock: Clock | None = None) -> float:
    """Return the seconds from the first trial that began to the last that ended."""
    clock = clock or Clock()
    asked = RunSettings(
        model, "parzen[samples=1000]", reference="none", seeds=trials, engine=engine, jobs=jobs, results=results
    )
    report = execution.execute(planning.plan(asked), clock)
    assert not report.failed
    return clock.over - clock.began


def compared(folder: Path, model: str, trials: int, repeats: int, sides: dict[str, tuple[str, int]]) -> None:
    """Print how long each side takes, and the first beside the second, in turn."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeats):
        for name, (engine, jobs) in sides.items():
            taken[name].append(
                seconds(model, trials, folder / f"{number}-{len(taken[name])}-{jobs}-{engine[:3]}", engine, jobs)
            )
    for name, found in taken.items():
        print(f"{trials} trials of {model}, {name}: {', '.join(f'{each:.1f}' for each in found)} s")
    first, second = taken.values()
    ratios = [one / other for one, other in zip(first, second, strict=True)]
    print(f"  ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


class Weighing(Clock):
    """Notes the driver's memory after a tenth of the trials, and after all."""

    def __init__(self, trials: int) -> None:
        super().__init__()
        self.trials, self.ended_so_far = trials, 0

    def ended(self, task: str, outcome: object) -> None:
        """Print the memory at the two moments."""
        super().ended(task, outcome)
        self.ended_so_far += 1
        if self.ended_so_far in (self.trials // 10, self.trials):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            mib = pages * os.sysconf("SC_PAGE_SIZE") >> 20
            print(f"{self.ended_so_far} trials: the driver has {mib} MiB", flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["tiny", "nodes", "memory"])
    parser.add_argument("--trials", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, two_nodes() as ray:
        for what in given.what:
            place = Path(folder, what)
            if what == "tiny":
                sides = {"Ray": (ray, 2), "worker processes": ("process", 2)}
                compared(place, "gaussian", given.trials or 200, given.repeats, sides)
            elif what == "nodes":
                sides = {"one node": (ray, 1), "two nodes": (ray, 2)}
                compared(place, "vae[epochs=30]", given.trials or 12, given.repeats, sides)
            else:
                trials = given.trials or 5000
                took = seconds("gaussian", trials, place, ray, 2, Weighing(trials))
                print(f"{trials} trials of gaussian on two nodes: {took:.1f} s, {1000 * took / trials:.0f} ms each")


if __name__ == "__main__":
    main()
