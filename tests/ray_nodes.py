"""A Ray cluster of two nodes of a CPU each, the second with a GPU by name, in a process of its own: it ends when this one does, however that ends."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Self

import psutil
from places import TESTS

STORE = 80 * 2**20
"""Bytes of each node's object store, the least that Ray takes."""


class RayNodes:
    """The cluster, as the tests see it: started by `with`, asked for by lines on its standard input."""

    def __enter__(self) -> Self:
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(TESTS / "toy_plugin")}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.address = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its input is its own

    def kill_a_node(self) -> None:
        """Kill the second node with all that runs on it."""
        self._ask("kill")

    def have_two(self) -> None:
        """Start a second node where there is none."""
        self._ask("add")

    def _ask(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._answer() == what

    def _answer(self) -> str:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.startswith("> "):
                return line[2:].strip()
        raise AssertionError("the cluster's process ended")


def main() -> None:
    """Start the cluster, do as the lines say, and end it when there are no more."""
    temporary = tempfile.mkdtemp(prefix="gb-ray-", dir="/tmp")  # a short path: those of sockets are bounded
    os.environ["RAY_TMPDIR"] = temporary  # where Ray notes the address, in a folder that must be there
    os.mkdir(f"{temporary}/ray")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE}
    os.environ["GENBENCH_CACHE"] = f"{temporary}/cache"  # that of nodes which share none with whoever started the run
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False, "temp_dir": temporary})
    try:
        other = {**node, "num_gpus": 1}  # by name: no trial that is on the CPU sees it
        second = cluster.add_node(**other)
        print(f"> {cluster.address}", flush=True)
        for line in map(str.strip, sys.stdin):
            if line == "kill":
                raylet = psutil.Process(second.all_processes["raylet"][0].process.pid)
                with_it = raylet.children(recursive=True)
                cluster.remove_node(second, allow_graceful=False)
                for process in with_it:  # which else outlive it, as on no node that lost its power
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                second = None
            elif second is None:
                second = cluster.add_node(**other)
            print(f"> {line}", flush=True)
    finally:
        cluster.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
