"""What runs on a node of a Ray cluster: an actor that hosts the process engine with a single worker."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from genbench import Engine, Event, ProcessEngine, Task, TrialFiles
from genbench_plugins.engines.carried_environment import CarriedEnvironment

Sent = dict[str, bytes | None]
"""Files of a trial's folder by name, None for those that are gone: what one side has that the other has not."""

Happened = tuple[Literal["started", "beat", "done", "lost"], str, int, dict[str, Any]]
"""An event as it travels: kind, task, attempt and data."""


def inode(folder: str) -> int:
    """Return what tells a folder from another of that name, on whatever machine it is seen; 0 where it is not there."""
    with contextlib.suppress(OSError):
        return os.stat(folder).st_ino
    return 0


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

    def __init__(self, environment: CarriedEnvironment, cpus: int, gpus: float, memory: int | None) -> None:
        environment.take_on()
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves every GPU to an actor that asked for none
        device = "cuda" if gpus else "cpu"
        self._engine: Engine = ProcessEngine(jobs=1, device=device, threads=cpus, memory=memory)
        self._carried: TrialFiles | None = None
        self._results: TemporaryDirectory[str] | None = None
        self._beats: list[Event] = []
        self._engine.listen(self._beats.append)

    def about(self, folder: str) -> dict[str, str | int]:
        """Return the name of the node, its versions, and what tells a folder there from one elsewhere."""
        return {"node": socket.gethostname(), "inode": inode(folder), **versions()}

    def begin(self, task: Task, attempt: int, wait: float, sent: Sent | None) -> tuple[list[Happened], Sent]:
        """Give the worker a task, and `poll`. sent are the files of its trial, None where they are shared."""
        self._engine.submit(task if sent is None else self._here(task, sent), attempt)
        return self.poll(wait)

    def poll(self, wait: float) -> tuple[list[Happened], Sent]:
        """Return what happened until the worker has nothing to do or `wait` seconds have passed, beats first.

        With it come the files of the trial that are not shared and that changed.
        """
        events = list(self._engine.events(wait))
        happened = [(event.kind, event.task, event.attempt, dict(event.data)) for event in (*self._beats, *events)]
        self._beats.clear()
        return happened, self._carried.changes() if self._carried else {}

    def _here(self, task: Task, sent: Sent) -> Task:
        """Return a task as one that is performed in a folder of this node, with what was sent of its trial."""
        self._forget()
        self._results = TemporaryDirectory(prefix="genbench-", ignore_cleanup_errors=True)
        here = TrialFiles(task).elsewhere(Path(self._results.name))
        self._carried = TrialFiles(here)
        self._carried.take(sent)
        return here

    def _forget(self) -> None:
        if self._results:
            self._results.cleanup()

    def cancel(self, task: str) -> None:
        """Ask the worker to save and stop; it is killed when it does not."""
        self._engine.cancel(task)

    def close(self) -> None:
        """Kill the worker."""
        self._engine.close()
        self._forget()
