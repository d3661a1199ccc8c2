"""Tasks given to an engine, and what became of each gathered, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from genbench.api import Engine, Event, Task


@dataclass(frozen=True)
class Outcome:
    """How a task ended: its status, and the reason where it is not done."""

    status: str
    reason: str = ""


class Watcher(Protocol):
    """What is told of a run's progress."""

    def started(self, task: str) -> None:
        """A task began."""

    def beat(self, task: str, progress: Mapping[str, Any]) -> None:
        """A task is at this stage."""

    def ended(self, task: str, outcome: Outcome) -> None:
        """A task ended."""


class Silent:
    """Tells nobody."""

    def started(self, task: str) -> None:
        """Do nothing."""

    def beat(self, task: str, progress: Mapping[str, Any]) -> None:
        """Do nothing."""

    def ended(self, task: str, outcome: Outcome) -> None:
        """Do nothing."""


def perform_all(engine: Engine, tasks: Iterable[Task], watcher: Watcher) -> dict[str, Outcome]:
    """Perform tasks on an engine; return how each ended. The engine is closed, also when interrupted."""
    outcomes: dict[str, Outcome] = {}
    engine.listen(lambda event: watcher.beat(event.task, event.data))
    try:
        for task in tasks:
            engine.submit(task, attempt=1)
        for event in engine.events():
            if event.kind == "started":
                watcher.started(event.task)
            else:
                outcomes[event.task] = _outcome(event)
                watcher.ended(event.task, outcomes[event.task])
    finally:
        engine.close()
    return outcomes


def _outcome(event: Event) -> Outcome:
    if event.kind == "lost":
        return Outcome("failed", str(event.data.get("reason", "its worker was lost")))
    return Outcome(event.data["status"], event.data.get("reason", ""))
