"""The schedule alone, on an engine that does as it is told and a clock that is set by hand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from genbench.api import Engine, Event, Task
from genbench.engines import schedule
from genbench.engines.schedule import Outcome, Silent, perform_all
from genbench.errors import GenbenchError

DONE = {"status": "done", "reason": "", "notes": []}
ENDED = {"status": "interrupted", "reason": "stopped", "notes": []}
KILLED = {"status": "interrupted", "reason": "its process was killed by SIGKILL", "again": True}
BROKEN = {"status": "failed", "reason": "it ended its process with exit code 1", "again": False}


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


Step = Callable[[], Iterable[tuple[str, Mapping[str, Any]]]]


@dataclass(eq=False)
class Script(Engine):
    """Tells what is written for each look at it; the last step is repeated."""

    def __post_init__(self) -> None:
        self.steps: list[Step] = []
        self.submitted: list[int] = []
        self.cancelled: list[str] = []
        self.listen(lambda event: None)

    def submit(self, task: Task, attempt: int) -> None:
        self.submitted.append(attempt)

    def events(self, wait: float) -> Iterable[Event]:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        for kind, data in step():
            yield Event("t", self.submitted[-1], kind, data)

    def cancel(self, task: str) -> None:
        self.cancelled.append(task)

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=made.monotonic, sleep=made.sleep))
    return made


class Heard(Silent):
    def __init__(self) -> None:
        self.stages: list[str] = []

    def progressed(self, task: str, progress: Mapping[str, Any]) -> None:
        self.stages.append(str(progress["stage"]))


def outcome(engine: Script, watcher: schedule.Watcher | None = None) -> Outcome:
    (ended,) = perform_all(engine, [Task("t", "", None)], watcher or Silent(), timeout=60).values()
    return ended


def tells(clock: Clock, *told: tuple[str, Mapping[str, Any]], after: float = 0.2, then: float = 0.0) -> Step:
    """Return a step that tells after some seconds; then the driver is stopped, before it looks at deadlines."""

    def step() -> Iterable[tuple[str, Mapping[str, Any]]]:
        clock.time += after
        yield from told
        clock.time += then

    return step


@pytest.mark.parametrize(
    ("meanwhile", "attempts"), [((("done", DONE),), [1]), ((("lost", KILLED),), [1, 2])], ids=["done", "killed"]
)
def test_what_ended_while_the_driver_was_stopped_did_not_time_out(
    meanwhile: Any, attempts: list[int], clock: Clock
) -> None:
    engine = Script()
    engine.steps = [tells(clock, ("started", {}), then=1000), tells(clock, *meanwhile)]
    engine.steps += [tells(clock, ("started", {})), tells(clock, ("done", DONE))] if attempts == [1, 2] else []
    assert outcome(engine) == Outcome("done")
    assert (engine.submitted, engine.cancelled) == (attempts, [])


def test_what_ended_as_its_time_was_over_did_not_time_out(clock: Clock) -> None:
    """Without a standstill that shows: the last seconds pass between the look at the pipe and that at the deadline."""
    engine = Script()
    engine.steps = [tells(clock, ("started", {}))] + [tells(clock, after=4) for _ in range(14)]
    engine.steps += [tells(clock, then=4), tells(clock, ("lost", KILLED))]
    engine.steps += [tells(clock, ("started", {})), tells(clock, ("done", DONE))]
    assert outcome(engine) == Outcome("done")
    assert engine.cancelled == []


def test_time_in_which_the_driver_was_stopped_does_not_count(clock: Clock) -> None:
    """Its worker may have stood still too, before a pipe that nobody emptied."""
    engine = Script()
    engine.steps = [tells(clock, ("started", {})), tells(clock, after=1000), tells(clock), tells(clock)]
    engine.steps += [tells(clock, ("done", DONE))]
    assert outcome(engine) == Outcome("done")
    assert engine.cancelled == []


def test_time_in_which_the_driver_looks_on_counts(clock: Clock) -> None:
    engine = Script()

    def later() -> Iterable[tuple[str, Mapping[str, Any]]]:
        clock.time += 0.2
        return [("done", ENDED)] if engine.cancelled else []

    engine.steps = [tells(clock, ("started", {})), later]
    assert outcome(engine).status == "timeout"
    assert 160 < clock.time < 162


def test_a_worker_that_never_answers_is_told_of_once(clock: Clock) -> None:
    engine, heard = Script(), Heard()
    engine.steps = [tells(clock) for _ in range(1000)] + [tells(clock, ("started", {}), ("done", DONE))]
    assert outcome(engine, heard).status == "done"
    assert heard.stages == [
        "waits: its worker process has not answered for 60 s. If it never does, give --engine inline"
    ]


def test_an_engine_that_says_why_a_task_waits_is_not_called_silent(clock: Clock) -> None:
    engine, heard = Script(), Heard()
    waits = ("beat", {"stage": "waits for room on the cluster"})
    engine.steps = [tells(clock, waits), *(tells(clock) for _ in range(1000)), tells(clock, ("done", DONE))]
    assert outcome(engine, heard).status == "done"
    assert heard.stages == ["waits for room on the cluster"]


def test_workers_that_end_at_once_are_told_of_with_advice(clock: Clock) -> None:
    engine = Script()
    engine.steps = [tells(clock, ("lost", BROKEN))]
    with pytest.raises(GenbenchError, match="exit code 1; what they said is above; .* --jobs, or give --engine inline"):
        outcome(engine)
    assert engine.submitted == [1, 2, 3]
