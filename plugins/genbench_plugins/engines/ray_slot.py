"""A slot on a Ray cluster as the engine sees it: the actor there, the task that it has, and the answer that it owes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genbench import GenbenchError, Task, TrialFiles
from genbench.io import printable
from genbench_plugins.engines.ray_host import inode, versions

POLL = 0.5
"""Seconds that an actor listens to its worker at a time: what it is asked meanwhile waits as long."""


@dataclass(eq=False)
class Waiting:
    """A task that waits for a slot, since when, and whether that was said."""

    task: Task
    attempt: int
    since: float = field(default_factory=time.monotonic)
    is_told: bool = False


class Slot:
    """An actor on some node, as it is seen from here: the task it has, and the answer that it owes."""

    def __init__(self, actor: Any, needs: tuple[int, float], shared: str) -> None:
        self.actor = actor
        self.task: Task | None = None
        self.attempt = 0
        self.node = ""
        self.since = 0.0
        self.carried: TrialFiles | None = None
        self.answer = actor.about.remote(shared)
        self._needs, self._shared = needs, shared

    @property
    def is_ready(self) -> bool:
        """Return whether its process has started."""
        return bool(self.node)

    @property
    def is_idle(self) -> bool:
        """Return whether it has nothing to do."""
        return self.is_ready and self.task is None

    def fits(self, task: Task) -> bool:
        """Return whether it has just what a task takes."""
        return self._needs == (task.cpus, task.gpus)

    def welcome(self, about: dict[str, str | int]) -> None:
        """Take in what its node is. Raises GenbenchError for one of other versions or, where they share, folders."""
        there, here = {name: about[name] for name in versions()}, dict[str, str | int](versions())
        if there != here:
            raise GenbenchError(
                f"engine ray: node {printable(about['node'])} has {in_words(there)}; expected {in_words(here)} as on "
                "this machine: install the same on every node"
            )
        if self._shared and about["inode"] != inode(self._shared):
            raise GenbenchError(
                f"engine ray: node {printable(about['node'])} does not share {printable(self._shared)}; expected a "
                "folder that all nodes share, or --engine 'ray[shares_files=false]', which carries files"
            )
        self.node, self.since = printable(about["node"], 60), time.monotonic()

    def begin(self, task: Task, attempt: int, carried: TrialFiles | None) -> None:
        """Give it a task, with the files of its trial where these are carried."""
        self.task, self.attempt, self.carried = task, attempt, carried
        self.answer = self.actor.begin.remote(task, attempt, POLL, carried.changes() if carried else None)

    def poll(self) -> None:
        """Ask what has happened."""
        self.answer = self.actor.poll.remote(POLL)

    def free(self) -> None:
        """Note that its task is over."""
        self.task, self.since = None, time.monotonic()
        self.release()

    def release(self) -> None:
        """Let others at the files of its trial."""
        if self.carried:
            self.carried.release()
        self.carried = None


def in_words(found: Mapping[str, str | int]) -> str:
    """Return versions in words."""
    return ", ".join(f"{name} {printable(version, 40)}" for name, version in found.items())
