"""Tasks given to an engine as it has room: deadlines, second attempts, and what became of each."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from genbench import errors
from genbench.api import Engine, Event, Task
from genbench.engines.stopping import StopRequest, stoppable
from genbench.errors import GenbenchError, Interrupted

ATTEMPTS = 3
"""How often a trial is begun in one run whose worker is killed from outside; it goes on from its last checkpoint."""

TICK = 0.2
"""Seconds after which the schedule looks at deadlines and at whether it is to stop."""

LATER = 1.0
"""Seconds until a trial that another process is at work on is asked for again."""

STANDSTILL = 5.0
"""Seconds between two looks beyond which this process must have been stopped: those count for no deadline."""

PATIENCE = 60.0
"""Seconds after which the watcher hears that a trial has not begun."""

UNDER_WAY = "under way"
"""The status of a trial that was left to a queue, and goes on there."""

SILENT = f"waits: its worker process has not answered for {PATIENCE:g} s. If it never does, give --engine inline"

ADVICE = "what they said is above; where memory or processes are short take fewer --jobs, or give --engine inline"
CROWDED = "trial {} ran out of memory beside others on its GPU, and was tried again with a whole one"


@dataclass(frozen=True)
class Outcome:
    """How a task ended: its status, the reason where it is not done, and what was noted on the way."""

    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()


class Watcher(Protocol):
    """Receives a run's progress."""

    def started(self, task: str) -> None:
        """A task began."""

    def progressed(self, task: str, progress: Mapping[str, Any]) -> None:
        """A task is at this stage."""

    def ended(self, task: str, outcome: Outcome) -> None:
        """A task ended."""

    def stopping(self) -> None:
        """The run was asked to stop, and saves what is under way."""


class Silent:
    """Tells nobody."""

    def started(self, task: str) -> None:
        """Do nothing."""

    def progressed(self, task: str, progress: Mapping[str, Any]) -> None:
        """Do nothing."""

    def ended(self, task: str, outcome: Outcome) -> None:
        """Do nothing."""

    def stopping(self) -> None:
        """Do nothing."""


Settle = Callable[[str, Outcome, str], None]
"""Keeps in a trial's folder how it ended, and in which stage, where its worker could not."""


def perform_all(
    engine: Engine,
    tasks: Iterable[Task],
    watcher: Watcher,
    settle: Settle = lambda task, outcome, stage: None,
    timeout: float | None = None,
    detach: bool = False,
) -> dict[str, Outcome]:
    """Perform tasks on an engine; return how each ended. timeout bounds the seconds of each.

    With detach, they are left to the engine once it has them all: what goes on there is under way.

    The engine is closed, however this ends. Raises Interrupted when asked to stop, after what is under way was saved;
    KeyboardInterrupt when asked twice; the GenbenchError that keeps every trial from being performed, a full disk say.
    """
    with stoppable(watcher.stopping) as request:
        schedule = _Schedule(
            engine, deque({task.id: task for task in tasks}.values()), watcher, settle, timeout, request
        )
        engine.listen(schedule.progressed, request)
        try:
            schedule.leave() if detach else schedule.run()
        finally:
            engine.close()
    if request.signal is not None:
        raise Interrupted(schedule.in_words(), request.signal)
    return schedule.outcomes


class _Clock:
    """Tells the seconds in which this process was there: while it is stopped, workers fill their pipes and wait."""

    def __init__(self) -> None:
        self._seen, self._sum = time.monotonic(), 0.0

    def now(self) -> float:
        """Return the seconds since the clock was made, without those of a standstill."""
        seen = time.monotonic()
        self._sum += min(seen - self._seen, STANDSTILL)
        self._seen = seen
        return self._sum


@dataclass
class _Flight:
    """A task under way."""

    task: Task
    attempt: int
    begun: float
    started: float | None = None
    cancelled: str = ""  # the status that it is to have, because it was asked to stop
    stage: str = ""  # what it was doing when it was last heard of
    is_missed: bool = False  # it was reported as not begun


@dataclass
class _Schedule:
    engine: Engine
    waiting: deque[Task]
    watcher: Watcher
    settle: Settle
    timeout: float | None
    request: StopRequest
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    flights: dict[str, _Flight] = field(default_factory=dict)
    later: list[tuple[float, Task]] = field(default_factory=list)
    alone: deque[Task] = field(default_factory=deque)  # each is performed when nothing else is, with a whole GPU
    crowded: set[str] = field(default_factory=set)
    failure: GenbenchError | None = None
    killed: int = 0
    clock: _Clock = field(default_factory=_Clock)

    def run(self) -> None:
        """Perform everything, or until asked to stop."""
        self.total = len(self.waiting)
        self._fill()
        while self.flights or ((self.later or self.alone) and not self._over()):
            if not self.flights:
                time.sleep(TICK)
            now = self.clock.now()  # before what there is to hear is heard: nothing is late that had ended by then
            for event in self.engine.events(TICK):
                self._handle(event)
                self._fill()
            self._check(now)
            self._fill()
        if self.failure:
            raise self.failure

    def leave(self) -> None:
        """Give the engine everything, hear what has ended meanwhile, and let go of the rest."""
        self.total = len(self.waiting)
        self._fill()
        for event in self.engine.events(0.0):
            self._handle(event)
        self.engine.leave()
        if self.failure:
            raise self.failure
        for trial in (*self.flights, *(task.id for _, task in self.later), *(task.id for task in self.waiting)):
            self.outcomes[trial] = Outcome(UNDER_WAY)

    def progressed(self, event: Event) -> None:
        """Pass progress on to the watcher."""
        if event.task in self.flights:
            self.flights[event.task].stage = str(event.data.get("stage", ""))
        self.watcher.progressed(event.task, event.data)

    def in_words(self) -> str:
        """Return how far the run came."""
        done = sum(outcome.status == "done" for outcome in self.outcomes.values())
        saved = f"; {self.killed} did not answer and were killed" if self.killed else "; what was under way is saved"
        return f"interrupted: {done} of {self.total} trials are done{saved}"

    def _over(self) -> bool:
        return self.failure is not None or self.request()

    def _fill(self) -> None:
        """Give the engine tasks while it has room."""
        now = time.monotonic()
        while not self._over() and len(self.flights) < self.engine.slots:
            due = next((pair for pair in self.later if pair[0] <= now), None)
            if self.waiting:
                task = self.waiting.popleft()
            elif due:
                self.later.remove(due)
                task = due[1]
            elif self.alone and not self.flights and not self.later:
                task = self.alone.popleft()
            else:
                return
            self._begin(task, attempt=1)

    def _begin(self, task: Task, attempt: int) -> None:
        self.flights[task.id] = _Flight(task, attempt, self.clock.now())
        self.engine.submit(task, attempt)

    def _check(self, now: float) -> None:
        """Stop tasks past their deadline, or all when the run is over; report tasks that have not begun."""
        for flight in self.flights.values():
            if flight.cancelled:
                continue
            if flight.started is None and not (flight.is_missed or flight.stage) and now - flight.begun > PATIENCE:
                flight.is_missed = True
                self.watcher.progressed(flight.task.id, {"stage": SILENT})
            if self._over():
                flight.cancelled = "interrupted"
            elif self.timeout and flight.started is not None and now - flight.started > self.timeout:
                flight.cancelled = "timeout"
            if flight.cancelled:
                self.engine.cancel(flight.task.id)

    def _handle(self, event: Event) -> None:
        flight = self.flights[event.task]
        if event.kind == "started":
            flight.started = self.clock.now()
            self.watcher.started(event.task)
        elif event.kind == "lost":
            self._lost(self.flights.pop(event.task), event.data)
        elif event.kind == "done":
            self._done(self.flights.pop(event.task), event.data)
        else:
            self.progressed(event)

    def _done(self, flight: _Flight, answer: Mapping[str, Any]) -> None:
        if answer["status"] == "busy":
            self.later.append((time.monotonic() + LATER, flight.task))
            self.watcher.progressed(flight.task.id, {"stage": f"waits: {answer['reason']}"})
        elif answer["status"] == "error":
            self.failure = self.failure or _error(answer)
        elif answer["status"] == "interrupted" and flight.cancelled == "timeout":
            self._settle(flight, self._timed_out())
        elif answer.get("crowded") and not self._over():
            self.crowded.add(flight.task.id)
            self.alone.append(replace(flight.task, gpus=1.0))
            self.watcher.progressed(flight.task.id, {"stage": "waits for a whole GPU: out of memory beside others"})
        else:
            beside = (CROWDED.format(flight.task.id),) if flight.task.id in self.crowded else ()
            self._end(flight, Outcome(answer["status"], answer["reason"], (*answer["notes"], *beside)))

    def _lost(self, flight: _Flight, loss: Mapping[str, Any]) -> None:
        if flight.cancelled or self._over():
            self.killed += 1
            self._settle(flight, self._timed_out() if flight.cancelled == "timeout" else Outcome("interrupted"))
        elif (loss["again"] or flight.started is None) and flight.attempt < ATTEMPTS:
            self._begin(flight.task, flight.attempt + loss.get("counts", True))
        elif flight.started is None:
            self.failure = GenbenchError(f"worker processes end before they begin a trial: {loss['reason']}; {ADVICE}")
        else:
            times = f" {flight.attempt} times" if flight.attempt > 1 else ""
            self._settle(flight, Outcome(loss.get("status", "failed"), loss["reason"] + times))

    def _timed_out(self) -> Outcome:
        return Outcome("timeout", f"not done after {self.timeout:g} s; the same command goes on from there")

    def _settle(self, flight: _Flight, outcome: Outcome) -> None:
        self.settle(flight.task.id, outcome, flight.stage)
        self._end(flight, outcome)

    def _end(self, flight: _Flight, outcome: Outcome) -> None:
        self.outcomes[flight.task.id] = outcome
        self.watcher.ended(flight.task.id, outcome)


def _error(answer: Mapping[str, Any]) -> GenbenchError:
    """Return the error that a worker reported, as the GenbenchError of that name."""
    kind = getattr(errors, answer["error"], GenbenchError)
    error: GenbenchError = kind(answer["reason"])
    return error
