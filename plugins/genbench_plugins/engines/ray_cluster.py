"""The way to a Ray cluster: found and reached within seconds, or refused in a line; and how much room it has."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from genbench import GenbenchError
from genbench.io import printable
from genbench_plugins.engines.ray_host import versions

REACHED_IN = 3.0
"""Seconds in which a cluster's port answers, or counts as unreachable: Ray itself goes on trying for minutes."""

ANSWERED_IN = 30.0
"""Seconds in which nodes tell their versions: each starts a process for that."""

VARIABLES = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else each node that dies puts lines of C++ into the terminal
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns that this will be its default
    "RAY_NUM_REDIS_GET_RETRIES": "3",  # seconds for which what is no cluster, but answers, is asked again
}


def load() -> Any:
    """Import ray. Raises GenbenchError, naming the command that installs it, where it is not there."""
    if find_spec("ray") is None:
        raise GenbenchError("engine ray: Ray is not installed; run: python -m pip install 'genbench[ray]'")
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def connect(address: str) -> bool:
    """Connect this process to a cluster; return whether it was not connected before.

    address is HOST:PORT, or auto for the cluster that this machine is part of. Raises GenbenchError within seconds
    where it cannot be reached.
    """
    ray = load()
    if ray.is_initialized():
        return False
    _probe(found := _found(address))
    _silence()
    with _signals_kept(), _stderr_closed():
        try:
            ray.init(address=found, log_to_driver=False, logging_level="CRITICAL", configure_logging=False)
        except (Exception, SystemExit) as error:
            raise GenbenchError(_refusal(found, printable(error))) from error
    return True


def _found(address: str) -> str:
    """Return HOST:PORT of the cluster that is meant."""
    if address != "auto":
        return address
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    temporary = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir() if os.name == "nt" else "/tmp"))
    with contextlib.suppress(OSError):
        return (temporary / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip()
    raise GenbenchError("engine ray: no Ray cluster runs on this machine; start one: ray start --head")


def _probe(address: str) -> None:
    """Raise GenbenchError where nothing answers at HOST:PORT."""
    match = re.fullmatch(r"\[?([^\[\]/]+?)\]?:([0-9]{1,5})", address)
    if match is None:
        raise GenbenchError(
            f"engine ray: address {printable(address)!r}: expected auto or HOST:PORT, as in 10.0.0.1:6379"
        )
    try:
        socket.create_connection((match[1], int(match[2])), timeout=REACHED_IN).close()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or printable(error)
        raise GenbenchError(_refusal(address, reason)) from error


def _refusal(address: str, reason: str) -> str:
    return (
        f"engine ray: no Ray cluster answers at {printable(address)} ({reason}); expected one that this machine is "
        "part of: ray start --head here, or ray start --address=HOST:PORT"
    )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back what SIGTERM and SIGINT do: Ray takes them for itself when it connects."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(ValueError):  # outside the main thread nobody takes them
                signal.signal(number, handler)


def _silence() -> None:
    """Keep out of the tables what Ray prints of each node that dies: a page of its log, on standard output."""
    from ray._private import worker

    worker.print_to_stdstream = lambda *_, **__: None


@contextlib.contextmanager
def _stderr_closed() -> Iterator[None]:
    """Keep what compiled code writes to standard error out of the terminal: Ray does so while it connects."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def room(cpus: int, gpus: float) -> int:
    """Return how many tasks of so many CPUs and such a part of a GPU live nodes have room for, others' not counted."""
    return sum(_room_on(node["Resources"], cpus, gpus) for node in load().nodes() if node["Alive"])


def _room_on(resources: dict[str, float], cpus: int, gpus: float) -> int:
    fit = int(resources.get("CPU", 0)) // cpus
    if gpus:
        fit = min(fit, int(resources.get("GPU", 0)) * math.floor(1 / gpus + 1e-6))
    return fit


@dataclass(frozen=True)
class Node:
    """A live node: its name and address, its processors and GPUs in words, its versions, or why these are not known."""

    name: str
    about: str
    versions: Mapping[str, str]
    problem: str = ""


def nodes() -> list[Node]:
    """Return the live nodes, each asked for its versions."""
    ray = load()
    alive = [node for node in ray.nodes() if node["Alive"]]
    asked = [_asked(ray, node["NodeID"]) for node in alive]
    ray.wait(asked, num_returns=len(asked), timeout=ANSWERED_IN)
    return [_node(ray, node, answer) for node, answer in zip(alive, asked, strict=True)]


def _asked(ray: Any, node: str) -> Any:
    """Return the answer that a node will give on its versions."""
    there = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
    options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
    return ray.remote(versions).options(**options).remote()


def _node(ray: Any, node: Mapping[str, Any], answer: Any) -> Node:
    counts = {kind: int(node["Resources"].get(kind, 0)) for kind in ("CPU", "GPU")}
    about = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items())
    name = printable(f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})", 80)
    try:
        return Node(name, about, ray.get(answer, timeout=0))
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or ["it does not answer"]
        return Node(name, about, {}, printable(lines[-1]))
