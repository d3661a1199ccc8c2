"""The engine that runs one trial after another in this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from genbench.api import Engine, Event, Task

ONE_AT_A_TIME = threading.RLock()
"""Held while a trial is performed here: it sets torch's state, streams and folder, which all threads share. A plugin
may itself perform trials, in the thread that holds it."""


@dataclass(eq=False)
class InlineEngine(Engine):
    """One trial after another, in this process: easiest to follow in a debugger."""

    version: ClassVar[int] = 1
    can_cancel: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._queue: deque[tuple[Task, int]] = deque()
        self.listen(lambda event: None)

    def submit(self, task: Task, attempt: int) -> None:
        """Put a task at the end of the queue."""
        self._queue.append((task, attempt))

    def events(self, wait: float) -> Iterable[Event]:
        """Perform the queued tasks; `wait` has no effect, since a task that began is not left."""
        from genbench.trial.task import perform

        while self._queue:
            task, attempt = self._queue.popleft()

            def beat(progress: Mapping[str, Any], task: Task = task, attempt: int = attempt) -> None:
                self._beat(Event(task.id, attempt, "beat", progress))

            yield Event(task.id, attempt, "started")
            with ONE_AT_A_TIME:
                outcome = perform(task, beat, self._stop)
            yield Event(task.id, attempt, "done", outcome)

    def cancel(self, task: str) -> None:
        """Do nothing: a task that began asks by itself whether all is to stop."""

    def close(self) -> None:
        """Forget the queue."""
        self._queue.clear()
