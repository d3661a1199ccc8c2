"""The engine that places trials on the nodes of a Ray cluster. Ray places; whatever else a trial is, stays as it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from genbench import Engine, Event, GenbenchError, Task, setting
from genbench.io import printable
from genbench_plugins.engines import ray_cluster
from genbench_plugins.engines.ray_host import Host, Told, surroundings, versions

POLL = 0.5
"""Seconds that an actor listens to its worker at a time: what it is asked meanwhile waits as long."""

IDLE = 5.0
"""Seconds after which a place that has nothing to do is given back to the cluster: others may wait for it."""

LOOK = 1.0
"""Seconds for which the cluster's room is taken as it was."""

CLOSING = 3.0
"""Seconds in which actors kill their workers, before they are killed themselves."""

LONG = 5.0
"""Seconds without any answer after which it is told which trials wait for room."""

WAITS = {"stage": "waits for room on the cluster"}


@dataclass(eq=False)
class RayEngine(Engine):
    """Trials on the nodes of a Ray cluster, each in a worker process of its own that stays warm from trial to trial.

    address is HOST:PORT of the cluster, or auto for the one that this machine is part of; jobs how many trials at once,
    by default as many as its nodes have CPUs and GPUs for; memory the bound on each one's memory in MiB, by default
    nine tenths of its node's on the CPU. Results, data and cache are in folders that all nodes share.
    """

    version: ClassVar[int] = 1
    is_remote: ClassVar[bool] = True

    address: str = setting("auto")
    jobs: Annotated[int, Ge(1)] | None = setting(None)
    memory: Annotated[int, Ge(256)] | None = setting(None)

    def __post_init__(self) -> None:
        self._ray: Any = None
        self._is_ours = False
        self._places: list[_Place] = []
        self._queue: deque[_Waiting] = deque()
        self._told: deque[Event] = deque()
        self._room, self._looked = 0, 0.0
        self._needs = (1, 0.0)
        self.listen(lambda event: None)

    @property
    def slots(self) -> int:
        """Return how many trials the live nodes have room for, at most `jobs`; 1 until the first is submitted."""
        if self._ray is None:
            return 1
        if time.monotonic() - self._looked > LOOK:
            self._look()
        return max(1, min(self._room, self.jobs or self._room))

    def submit(self, task: Task, attempt: int) -> None:
        """Take a task. Raises GenbenchError where the cluster cannot be reached, or no node of it has room for one."""
        self._needs = (task.cpus, task.gpus)
        if self._ray is None:
            self._connect()
        self._queue.append(_Waiting(task, attempt))
        self._arrange()

    def events(self, wait: float) -> Iterable[Event]:
        """Yield what the workers report, and which places died."""
        until = time.monotonic() + wait
        while self._told or self._queue or any(place.task for place in self._places):
            while self._told:
                yield self._told.popleft()
            self._arrange()
            self._tell_who_waits()
            left = until - time.monotonic()
            for place in self._answered(max(0.0, left)):
                yield from self._heard(place)
            if left <= 0:
                return

    def cancel(self, task: str) -> None:
        """Ask the worker that has a task to save and stop; one that waits for room ends at once."""
        for place in self._places:
            if place.task and place.task.id == task:
                place.actor.cancel.remote(task)
        for waiting in [each for each in self._queue if each.task.id == task]:
            self._queue.remove(waiting)
            loss = {"reason": "it was cancelled before it began", "again": False}
            self._told.append(Event(task, waiting.attempt, "lost", loss))

    def close(self) -> None:
        """Kill all workers and actors: what they have committed stays."""
        if self._ray is None:
            return
        ending = [place.actor.close.remote() for place in self._places if place.is_ready]
        if ending:
            self._ray.wait(ending, num_returns=len(ending), timeout=CLOSING)
        for place in list(self._places):
            self._leave(place)
        if self._is_ours:
            self._ray.shutdown()
        self._ray = None

    def _connect(self) -> None:
        self._is_ours = ray_cluster.connect(self.address)
        self._ray = ray_cluster.load()
        self._look()
        if not self._room:
            gpus = f" and {self._needs[1]:g} of a GPU" if self._needs[1] else ""
            raise GenbenchError(f"engine ray: no node of the cluster has {self._needs[0]} CPUs{gpus} for a trial")

    def _look(self) -> None:
        self._room, self._looked = ray_cluster.room(*self._needs), time.monotonic()

    def _arrange(self) -> None:
        """Give what waits to places that are idle; ask for as many more as it takes, give back what nothing needs."""
        for place in [place for place in self._places if place.is_idle]:
            fitting = next((each for each in self._queue if place.fits(each.task)), None)
            if fitting:
                self._queue.remove(fitting)
                place.begin(fitting.task, fitting.attempt)
            elif self._queue or time.monotonic() - place.since > IDLE:
                self._leave(place)
        coming = sum(not place.is_ready for place in self._places)
        for waiting in list(self._queue)[coming:]:
            self._places.append(self._new_place(waiting.task))

    def _new_place(self, task: Task) -> _Place:
        options = {"num_cpus": task.cpus, "num_gpus": task.gpus, "scheduling_strategy": "SPREAD"}
        remote = self._ray.remote(Host).options(max_restarts=0, max_task_retries=0, **options)
        return _Place(remote.remote(surroundings(), task.cpus, task.gpus, self.memory), (task.cpus, task.gpus))

    def _leave(self, place: _Place) -> None:
        self._places.remove(place)
        self._ray.kill(place.actor)

    def _answered(self, wait: float) -> list[_Place]:
        """Return the places that have answered within so many seconds."""
        asked = {place.answer: place for place in self._places if place.answer is not None}
        if not asked:
            return []
        answered, _ = self._ray.wait(list(asked), timeout=wait)
        return [asked[answer] for answer in answered]

    def _tell_who_waits(self) -> None:
        """Tell which tasks have waited long: other runs have what there is room for, or a node was lost."""
        for waiting in [each for each in self._queue if time.monotonic() - each.since > LONG and not each.is_told]:
            waiting.is_told = True
            self._beat(Event(waiting.task.id, waiting.attempt, "beat", WAITS))

    def _heard(self, place: _Place) -> Iterator[Event]:
        answer, place.answer = place.answer, None
        try:
            told = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            yield from self._lost(place, error)
            return
        if not place.is_ready:
            place.welcome(told)
            return
        yield from self._passed_on(place, told)
        if place.task and place.answer is None:  # it may have been given another meanwhile, which is an answer owed
            place.poll()

    def _passed_on(self, place: _Place, told: list[Told]) -> Iterator[Event]:
        for kind, task, attempt, data in told:
            event = Event(task, attempt, kind, data)
            if kind == "beat":
                self._beat(event)
                continue
            if kind in ("done", "lost"):
                place.free()
            yield event

    def _lost(self, place: _Place, error: Exception) -> Iterator[Event]:
        """Yield the loss of the task of a place that died; of one that died as it was made, that of one that waits."""
        self._leave(place)
        self._look()
        loss = {"status": "interrupted", "again": True}
        if place.task:
            reason = f"node {place.node} died, or its process there"
            yield Event(place.task.id, place.attempt, "lost", {**loss, "reason": reason})
        elif not place.is_ready and self._queue:
            waiting = self._queue.popleft()
            reason = f"no process could be started on the cluster: {_last_line(error)}"
            yield Event(waiting.task.id, waiting.attempt, "lost", {**loss, "reason": reason})


@dataclass(eq=False)
class _Waiting:
    """A task that waits for a place, since when, and whether that was told."""

    task: Task
    attempt: int
    since: float = field(default_factory=time.monotonic)
    is_told: bool = False


class _Place:
    """An actor on some node, as it is seen from here: the task it has, and the answer that it owes."""

    def __init__(self, actor: Any, needs: tuple[int, float]) -> None:
        self.actor = actor
        self.task: Task | None = None
        self.attempt = 0
        self.node = ""
        self.since = 0.0
        self.answer = actor.about.remote()
        self._needs = needs

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

    def welcome(self, about: dict[str, str]) -> None:
        """Take in what its node is. Raises GenbenchError for one of other versions than this machine's."""
        there, here = {name: about[name] for name in versions()}, versions()
        if there != here:
            raise GenbenchError(
                f"engine ray: node {printable(about['node'])} has {_in_words(there)}; expected {_in_words(here)} as on "
                "this machine: install the same on every node"
            )
        self.node, self.since = printable(about["node"], 60), time.monotonic()

    def begin(self, task: Task, attempt: int) -> None:
        """Give it a task."""
        self.task, self.attempt = task, attempt
        self.answer = self.actor.begin.remote(task, attempt, POLL)

    def poll(self) -> None:
        """Ask what has happened."""
        self.answer = self.actor.poll.remote(POLL)

    def free(self) -> None:
        """Note that its task is over."""
        self.task, self.since = None, time.monotonic()


def _in_words(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {printable(version, 40)}" for name, version in found.items())


def _last_line(error: Exception) -> str:
    """Return what an error of Ray's says last: what stands before it is of where it was raised."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[-1])
