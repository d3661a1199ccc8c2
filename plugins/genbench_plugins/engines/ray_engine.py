"""The engine that places trials on the nodes of a Ray cluster. Ray places; whatever else a trial is, stays as it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from genbench import Engine, Event, GenbenchError, Place, Task, TrialFiles, setting
from genbench.io import printable
from genbench_plugins.engines import ray_cluster
from genbench_plugins.engines.carried_environment import carried_environment
from genbench_plugins.engines.ray_host import Happened, Host, versions
from genbench_plugins.engines.ray_slot import Slot, Waiting, in_words

IDLE = 5.0
"""Seconds after which a slot that has nothing to do is given back to the cluster: others may wait for it."""

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
    nine tenths of its node's on the CPU. shares_files says that results, data and cache are in folders that all nodes
    share; where they are not, each trial's folder is carried to its node and back, its checkpoints on the way.
    """

    version: ClassVar[int] = 1
    is_remote: ClassVar[bool] = True

    address: str = setting("auto")
    jobs: Annotated[int, Ge(1)] | None = setting(None)
    memory: Annotated[int, Ge(256)] | None = setting(None)
    shares_files: bool = setting(True)

    def __post_init__(self) -> None:
        self._ray: Any = None
        self._is_ours = False
        self._slots: list[Slot] = []
        self._queue: deque[Waiting] = deque()
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

    def places(self) -> list[Place]:
        """Return the live nodes, with their processors, GPUs and versions."""
        self._reach()
        return [
            Place(node.name, f"{node.about}; {in_words(node.versions)}", _problem(node)) for node in ray_cluster.nodes()
        ]

    def submit(self, task: Task, attempt: int) -> None:
        """Take a task. Raises GenbenchError where the cluster cannot be reached, or no node of it has room for one."""
        self._needs = (task.cpus, task.gpus)
        if self._ray is None:
            self._connect()
        self._queue.append(Waiting(task, attempt))
        self._arrange()

    def events(self, wait: float) -> Iterable[Event]:
        """Yield what the workers report, and which places died."""
        until = time.monotonic() + wait
        while self._told or self._queue or any(slot.task for slot in self._slots):
            while self._told:
                yield self._told.popleft()
            self._arrange()
            self._tell_who_waits()
            left = until - time.monotonic()
            for slot in self._answered(max(0.0, left)):
                yield from self._heard(slot)
            if left <= 0:
                return

    def cancel(self, task: str) -> None:
        """Ask the worker that has a task to save and stop; one that waits for room ends at once."""
        for slot in self._slots:
            if slot.task and slot.task.id == task:
                slot.actor.cancel.remote(task)
        for waiting in [each for each in self._queue if each.task.id == task]:
            self._queue.remove(waiting)
            loss = {"reason": "it was cancelled before it began", "again": False}
            self._told.append(Event(task, waiting.attempt, "lost", loss))

    def close(self) -> None:
        """Kill all workers and actors: what they have committed stays."""
        if self._ray is None:
            return
        ending = [slot.actor.close.remote() for slot in self._slots if slot.is_ready]
        if ending:
            self._ray.wait(ending, num_returns=len(ending), timeout=CLOSING)
        for slot in list(self._slots):
            self._leave(slot)
        if self._is_ours:
            self._ray.shutdown()
        self._ray = None

    def _reach(self) -> None:
        self._is_ours = ray_cluster.connect(self.address)
        self._ray = ray_cluster.load()

    def _connect(self) -> None:
        self._reach()
        self._look()
        if not self._room:
            gpus = f" and {self._needs[1]:g} of a GPU" if self._needs[1] else ""
            raise GenbenchError(f"engine ray: no node of the cluster has {self._needs[0]} CPUs{gpus} for a trial")

    def _look(self) -> None:
        self._room, self._looked = ray_cluster.room(*self._needs), time.monotonic()

    def _arrange(self) -> None:
        """Give what waits to places that are idle; ask for as many more as it takes, give back what nothing needs."""
        for slot in [slot for slot in self._slots if slot.is_idle]:
            fitting = next((each for each in self._queue if slot.fits(each.task)), None)
            if fitting:
                self._queue.remove(fitting)
                self._begin(slot, fitting)
            elif self._queue or time.monotonic() - slot.since > IDLE:
                self._leave(slot)
        coming = sum(not slot.is_ready for slot in self._slots)
        for waiting in list(self._queue)[coming:]:
            self._slots.append(self._new_slot(waiting.task))

    def _begin(self, slot: Slot, waiting: Waiting) -> None:
        """Give a slot a task; where its trial's files are carried, nobody else may be at work on them meanwhile."""
        carried = None if self.shares_files else TrialFiles(waiting.task)
        refusal = carried.hold() if carried else None
        if refusal:
            self._told.append(Event(waiting.task.id, waiting.attempt, "done", refusal))
        else:
            slot.begin(waiting.task, waiting.attempt, carried)

    def _new_slot(self, task: Task) -> Slot:
        options = {"num_cpus": task.cpus, "num_gpus": task.gpus, "scheduling_strategy": "SPREAD"}
        remote = self._ray.remote(Host).options(max_restarts=0, max_task_retries=0, **options)
        actor = remote.remote(carried_environment(self.shares_files), task.cpus, task.gpus, self.memory)
        shared = str(TrialFiles(task).results) if self.shares_files else ""
        return Slot(actor, (task.cpus, task.gpus), shared)

    def _leave(self, slot: Slot) -> None:
        self._slots.remove(slot)
        slot.release()
        self._ray.kill(slot.actor)

    def _answered(self, wait: float) -> list[Slot]:
        """Return the places that have answered within so many seconds."""
        asked = {slot.answer: slot for slot in self._slots if slot.answer is not None}
        if not asked:
            return []
        answered, _ = self._ray.wait(list(asked), timeout=wait)
        return [asked[answer] for answer in answered]

    def _tell_who_waits(self) -> None:
        """Tell which tasks have waited long: other runs have what there is room for, or a node was lost."""
        for waiting in [each for each in self._queue if time.monotonic() - each.since > LONG and not each.is_told]:
            waiting.is_told = True
            self._beat(Event(waiting.task.id, waiting.attempt, "beat", WAITS))

    def _heard(self, slot: Slot) -> Iterator[Event]:
        answer, slot.answer = slot.answer, None
        try:
            found = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            yield from self._lost(slot, error)
            return
        if not slot.is_ready:
            slot.welcome(found)
            return
        happened, sent = found
        if slot.carried:
            slot.carried.take(sent)
        yield from self._passed_on(slot, happened)
        if slot.task and slot.answer is None:  # it may have been given another meanwhile, which is an answer owed
            slot.poll()

    def _passed_on(self, slot: Slot, happened: list[Happened]) -> Iterator[Event]:
        for kind, task, attempt, data in happened:
            event = Event(task, attempt, kind, data)
            if kind == "beat":
                self._beat(event)
                continue
            if kind in ("done", "lost"):
                slot.free()
            yield event

    def _lost(self, slot: Slot, error: Exception) -> Iterator[Event]:
        """Yield the loss of the task of a slot that died; of one that died as it was made, that of one that waits."""
        self._leave(slot)
        self._look()
        loss = {"status": "interrupted", "again": True}
        if slot.task:
            reason = f"node {slot.node} died, or its process there"
            yield Event(slot.task.id, slot.attempt, "lost", {**loss, "reason": reason})
        elif not slot.is_ready and self._queue:
            waiting = self._queue.popleft()
            reason = f"no process could be started on the cluster: {_last_line(error)}"
            yield Event(waiting.task.id, waiting.attempt, "lost", {**loss, "reason": reason})


def _last_line(error: Exception) -> str:
    """Return what an error of Ray's says last: what stands before it is of where it was raised."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[-1])


def _problem(node: ray_cluster.Node) -> str:
    """Return why a node is refused, or ""."""
    if not node.versions:
        return f"REFUSED: {node.problem}"
    return "" if node.versions == versions() else f"REFUSED: expected {in_words(versions())}, as on this machine"
