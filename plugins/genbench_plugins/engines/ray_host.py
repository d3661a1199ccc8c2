"""What runs on a node of a Ray cluster: an actor that hosts the process engine with a single worker."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import sys
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

from genbench import Engine, Event, ProcessEngine, Task

Told = tuple[Literal["started", "beat", "done", "lost"], str, int, dict[str, Any]]
"""An event as it travels: kind, task, attempt and data."""


@dataclass(frozen=True)
class Surroundings:
    """What a worker finds as it is where the run was started: variables, and with shared files folder and path too."""

    variables: dict[str, str]
    folder: str | None = None
    path: list[str] = field(default_factory=list)

    def take_on(self) -> None:
        """Make them those of this process, and so of its worker."""
        os.environ.update(self.variables)
        sys.path += [entry for entry in self.path if entry not in sys.path]
        if self.folder is not None:
            with contextlib.suppress(OSError):  # what is named by its whole path is found from anywhere
                os.chdir(self.folder)


def surroundings() -> Surroundings:
    """Return those of this process."""
    names = [name for name in os.environ if name.startswith("GENBENCH_")]
    names += [name for name in ("PYTHONPATH", "OMP_WAIT_POLICY", "CUBLAS_WORKSPACE_CONFIG") if name in os.environ]
    return Surroundings({name: os.environ[name] for name in names}, os.getcwd(), [entry for entry in sys.path if entry])


def versions() -> dict[str, str]:
    """Return the versions here of what scores depend on."""
    found = {"python": platform.python_version()}
    for package in ("genbench", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "none"
    return found


class Host:
    """The actor. Its methods are called one after another, in the order in which they were asked for."""

    def __init__(self, around: Surroundings, cpus: int, gpus: float, memory: int | None) -> None:
        around.take_on()
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves every GPU to an actor that asked for none
        device = "cuda" if gpus else "cpu"
        self._engine: Engine = ProcessEngine(jobs=1, device=device, threads=cpus, memory=memory)
        self._beats: list[Event] = []
        self._engine.listen(self._beats.append)

    def about(self) -> dict[str, str]:
        """Return the name of the node and its versions."""
        return {"node": socket.gethostname(), **versions()}

    def begin(self, task: Task, attempt: int, wait: float) -> list[Told]:
        """Give the worker a task, and `poll`."""
        self._engine.submit(task, attempt)
        return self.poll(wait)

    def poll(self, wait: float) -> list[Told]:
        """Return what happened until the worker has nothing to do or `wait` seconds have passed, beats first."""
        events = list(self._engine.events(wait))
        told = [(event.kind, event.task, event.attempt, dict(event.data)) for event in (*self._beats, *events)]
        self._beats.clear()
        return told

    def cancel(self, task: str) -> None:
        """Ask the worker to save and stop; it is killed when it does not."""
        self._engine.cancel(task)

    def close(self) -> None:
        """Kill the worker."""
        self._engine.close()
