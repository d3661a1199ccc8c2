"""The engine that has Slurm place trials: arrays of jobs, that go on without whoever submitted them."""

from __future__ import annotations

import contextlib
import re
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from genbench import Engine, Event, GenbenchError, Task, setting
from genbench.io import printable
from genbench_plugins.engines import slurm_queue
from genbench_plugins.engines.carried_environment import carried_environment
from genbench_plugins.engines.slurm_folder import FOLDER, ArrayFolder, digest, known, submitting
from genbench_plugins.engines.slurm_followed import Followed, interrupted, numbered, why_lost
from genbench_plugins.engines.slurm_job import Element
from genbench_plugins.engines.slurm_local import LocalQueue
from genbench_plugins.engines.slurm_queue import MOST, SlurmQueue, State, Unanswered, Wishes

TICK = 0.1
"""Seconds that are slept between two looks."""

READ = 0.005
"""Seconds between two looks into the files of jobs, for each of them: two hundred files a second at most."""

SAVES_WITHIN = 30.0
"""Seconds in which a job that was cancelled while it ran says how it ended: then Slurm kills it (KillWait)."""

AWAY = 600.0
"""Seconds for which Slurm's controller may be away before a run gives up waiting; its jobs go on."""

WISH = re.compile(r"[\w.,:=@%+*/&|()\[\]!-]{1,200}", re.ASCII)
"""What can stand for a partition and its like in a job's script: no blank, no quote, no line's end."""


@dataclass(eq=False)
class SlurmEngine(Engine):
    """Trials as the elements of Slurm's job arrays, in a folder of results that all nodes share.

    partition, account, qos, constraint, gres and time ("2:00:00") go to sbatch as they are, memory too, in MiB; jobs
    bounds how many elements of an array run at once. poll is the seconds between two looks at the queue. With local,
    jobs are processes of this machine, which needs no Slurm.
    """

    version: ClassVar[int] = 1
    is_remote: ClassVar[bool] = True
    can_detach: ClassVar[bool] = True

    partition: str | None = setting(None)
    account: str | None = setting(None)
    qos: str | None = setting(None)
    constraint: str | None = setting(None)
    gres: str | None = setting(None)
    time: str | None = setting(None)
    memory: Annotated[int, Ge(256)] | None = setting(None)
    jobs: Annotated[int, Ge(1)] | None = setting(None)
    poll: Annotated[float, Gt(0)] = setting(10.0)
    local: bool = setting(False)

    def __post_init__(self) -> None:
        wishes = {name: getattr(self, name) for name in Wishes.__dataclass_fields__}
        self._queue: SlurmQueue | LocalQueue = (LocalQueue if self.local else SlurmQueue)(Wishes(**wishes))
        self._new: list[tuple[Task, int]] = []
        self._followed: dict[str, Followed] = {}
        self._told: deque[Event] = deque()
        self._arrays: list[ArrayFolder] = []
        self._read_at = self._look_at = 0.0
        self._answered = time.monotonic()
        self._cpus, self._is_left = 1, False
        self.listen(lambda event: None)

    @property
    def slots(self) -> int:
        """Return how many trials it takes at once: Slurm's queue takes all, this machine as many as it has room for."""
        return self._queue.slots(self._cpus)

    def submit(self, task: Task, attempt: int) -> None:
        """Take a task; what there is when events are asked for is one array. Raises GenbenchError without Slurm."""
        self._check(task)
        self._cpus = task.cpus
        self._new.append((task, attempt))

    def events(self, wait: float) -> Iterable[Event]:
        """Yield what jobs say in their files, and of those that ended without a word, what Slurm says."""
        until = time.monotonic() + wait
        self._flush()
        while self._told or self._followed:
            self._hear()
            while self._told:
                yield self._told.popleft()
            self._flush()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, TICK) if self._followed else 0.0)

    def cancel(self, task: str) -> None:
        """Ask a trial's job to save and stop; one that waits in the queue ends at once."""
        if followed := self._followed.get(task):
            followed.is_cancelled = True
            followed.array.mailbox(followed.index).ask_to_stop()
            with contextlib.suppress(Unanswered):  # the mark beside its file reaches it too
                self._queue.cancel([followed.job])
            self._look_at = 0.0
        for waiting in [each for each in self._new if each[0].id == task]:
            self._new.remove(waiting)
            self._told.append(Event(task, waiting[1], "lost", interrupted("it was cancelled before it began", False)))

    def leave(self) -> None:
        """Submit what there is, and let the jobs go on without this process."""
        if self.local:
            raise GenbenchError(
                "engine slurm: local=true is no queue: its jobs end with this command; leave --detach out"
            )
        self._flush()
        self._is_left = True

    def close(self) -> None:
        """Cancel all jobs that are followed, unless they were left; remove the files of arrays that are over."""
        if not self._is_left:
            for followed in self._followed.values():
                followed.array.mailbox(followed.index).ask_to_stop()
            with contextlib.suppress(GenbenchError):
                self._queue.cancel([followed.job for followed in self._followed.values()])
            self._queue.close()
        under_way = {followed.array.path for followed in self._followed.values()}
        for array in self._arrays:
            if array.path not in under_way:
                array.remove()
        self._new, self._followed, self._arrays = [], {}, []

    def _check(self, task: Task) -> None:
        slurm_queue.check_installed(*self._queue.commands)
        for name in ("partition", "account", "qos", "constraint", "gres", "time"):
            value = getattr(self, name)
            if value is not None and not WISH.fullmatch(value):
                raise GenbenchError(
                    f"engine slurm: {name} {printable(value, 80)!r}: expected what sbatch takes, no blanks or quotes"
                )
        if 0 < task.gpus < 1:
            raise GenbenchError("engine slurm: each trial has a whole GPU of its job; leave --jobs-per-gpu out")

    def _flush(self) -> None:
        """Follow the jobs that are there for new tasks; submit the other tasks, as arrays of equal needs."""
        new, self._new = self._new, []
        by_folder = defaultdict(list)
        for task, attempt in new:
            by_folder[Path(task.results) / FOLDER].append((task, attempt))
        for root, tasks in by_folder.items():
            with submitting(root):
                there = {} if self.local else self._found(root)
                by_needs = defaultdict(list)
                for task, attempt in tasks:
                    if found := there.get((task.id, digest(task))):
                        self._followed[task.id] = Followed(task, attempt, *found)
                    else:
                        by_needs[task.cpus, task.gpus].append((task, attempt))
                for several in by_needs.values():
                    for first in range(0, len(several), MOST):
                        self._submit(root, several[first : first + MOST])

    def _submit(self, root: Path, tasks: list[tuple[Task, int]]) -> None:
        folder = ArrayFolder.new(root, [task for task, _ in tasks])
        environment = carried_environment(shares_files=True)
        elements = [
            Element(str(folder.mailbox(index).path), task, attempt, environment, self.memory)
            for index, (task, attempt) in enumerate(tasks)
        ]
        try:
            jobs = self._queue.submit(folder, elements)
        except BaseException:
            folder.remove()
            raise
        folder.keep_jobs(jobs)
        self._arrays.append(folder)
        for index, ((task, attempt), job) in enumerate(zip(tasks, jobs, strict=True)):
            self._followed[task.id] = Followed(task, attempt, folder, index, job)
        self._look_at = time.monotonic() + self.poll

    def _found(self, root: Path) -> dict[tuple[str, str], tuple[ArrayFolder, int, str]]:
        """Return the jobs that are queued or run for a results folder, by trial and request; remove what is over.

        Only jobs count that bear the array's name: what lies in a results folder may have been made up.
        """
        arrays = known(root)
        queue = self._queue.look() if arrays else {}
        names = {job: state.name for job, state in queue.items() if state.is_alive}
        found = {}
        for array in arrays:
            jobs = array.jobs or numbered(array, names)
            alive = [(index, job) for index, job in enumerate(jobs) if names.get(job) == array.name]
            tasks = array.tasks
            found.update({tasks[index]: (array, index, job) for index, job in alive})
            if not alive and array not in self._arrays:
                array.remove()
        return found

    def _hear(self) -> None:
        """Read what jobs have said, and look at the queue, each as often as is fit."""
        now = time.monotonic()
        if now >= self._read_at:
            for followed in list(self._followed.values()):
                self._read(followed)
            self._read_at = now + READ * len(self._followed)
        if now >= self._look_at and self._followed:
            self._look()
            self._look_at = time.monotonic() + self.poll

    def _read(self, followed: Followed) -> None:
        for kind, data in followed.lines():
            if kind == "started" and not followed.is_started:
                followed.is_started = True
                self._tell(followed, "started", {})
            elif kind == "beat":
                self._beat(Event(followed.task.id, followed.attempt, "beat", data))
            elif kind == "saved":
                self._beat(
                    Event(
                        followed.task.id, followed.attempt, "beat", {"stage": "waits to be queued again: it is saved"}
                    )
                )
            elif kind in ("done", "lost"):
                self._end(followed, kind, data)
                return

    def _look(self) -> None:
        """Ask Slurm how the jobs stand. Where it does not answer for long, leave them to it."""
        try:
            queue = self._queue.look()
            self._answered = time.monotonic()
            for followed in list(self._followed.values()):
                self._stands(followed, queue.get(followed.job))
        except GenbenchError as error:
            if isinstance(error, Unanswered) and time.monotonic() - self._answered < AWAY:
                return
            self._is_left = True
            raise GenbenchError(f"{error}; jobs go on, and the same command goes on with them") from error

    def _stands(self, followed: Followed, state: State | None) -> None:
        if state and state.is_alive:
            followed.missed, followed.missed_at = 0, 0.0
            if state.is_waiting and state != followed.state:
                stage = f"waits in Slurm's queue: {state.word if state.reason in ('', 'None') else state.reason}"
                self._beat(Event(followed.task.id, followed.attempt, "beat", {"stage": stage}))
            followed.state = state
            return
        followed.missed += 1
        followed.missed_at = followed.missed_at or time.monotonic()
        is_saving = followed.is_cancelled and followed.is_started
        if is_saving and time.monotonic() - followed.missed_at < SAVES_WITHIN:
            return  # a cancelled job may leave the queue before it has saved, and said so
        if followed.missed > 1:  # what it said last may be seen here only after the queue has let it go
            self._read(followed)
            if followed.task.id in self._followed:
                self._lost(followed, state or self._queue.ended(followed.job))

    def _lost(self, followed: Followed, state: State) -> None:
        """Tell of a job that ended without saying how."""
        loss = why_lost(state.word, followed.job)
        if state.word == "CANCELLED" and not followed.is_cancelled:
            loss["again"] = followed.is_stopped_elsewhere
            if not (loss["again"] or followed.is_started):
                self._tell(followed, "started", {})  # else it counts as never begun, and is begun at once again
        self._end(followed, "lost", loss)

    def _end(self, followed: Followed, kind: str, data: Mapping[str, Any]) -> None:
        if kind == "done" and data.get("status") == "interrupted" and followed.is_stopped_elsewhere:
            kind, data = "lost", interrupted("another run that waited for it was stopped", True)
        if kind == "done" and not followed.is_started:
            self._tell(followed, "started", {})
        self._tell(followed, kind, data)
        del self._followed[followed.task.id]

    def _tell(self, followed: Followed, kind: Any, data: Mapping[str, Any]) -> None:
        self._told.append(Event(followed.task.id, followed.attempt, kind, data))
