"""The engine of warm worker processes: a trial that crashes, hangs or eats all memory costs only itself."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from genbench.api import Engine, Event, Task, setting
from genbench.engines.gpus import gpus_of, share
from genbench.engines.messages import GPU_LOST, GRACE, decode, encode

TICK = 0.5
"""Seconds after which the engine looks whether a worker died that could not say so."""


@dataclass(eq=False)
class ProcessEngine(Engine):
    """Worker processes that stay warm from trial to trial, each pinned to its GPU before torch is imported.

    jobs is how many; device what trials run on: cpu, cuda (all visible GPUs in turn) or cuda:N; threads those of each;
    memory the bound on each one's memory in MiB, by default nine tenths of the machine's on the CPU.
    """

    version: ClassVar[int] = 1

    jobs: Annotated[int, Ge(1)] = setting(2)
    device: str = setting("cpu")
    threads: Annotated[int, Ge(1)] = setting(1)
    memory: Annotated[int, Ge(256)] | None = setting(None)

    def __post_init__(self) -> None:
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self.listen(lambda event: None)

    @property
    def slots(self) -> int:
        """Return the number of workers."""
        return self.jobs

    def submit(self, task: Task, attempt: int) -> None:
        """Give a task to an idle worker, or to a new one; where it is to have a whole GPU, idle ones leave theirs."""
        for dead in [w for w in self._workers if w.task is None and w.process.poll() is not None]:
            self._forget(dead)
            dead.wait()
        if task.gpus > share(self.device, self.jobs):
            for idle in [w for w in self._workers if w.task is None]:
                self._forget(idle)
                idle.kill()
        worker = next((w for w in self._workers if w.task is None), None) or self._start()
        worker.give(task, attempt)

    def events(self, wait: float) -> Iterable[Event]:
        """Yield what the workers report, and which of them died."""
        until = time.monotonic() + wait
        while any(worker.task for worker in self._workers):
            left = until - time.monotonic()
            for key, _ in self._selector.select(max(0.0, min(left, TICK))):
                yield from self._heard(key.data)
            yield from self._looked_after()
            if left <= 0:
                return

    def cancel(self, task: str) -> None:
        """Ask the worker that has a task to save and stop; it is killed when it does not within the grace."""
        for worker in self._workers:
            if worker.task and worker.task.id == task and worker.kill_at is None:
                worker.stop()

    def close(self) -> None:
        """Kill all workers: what they have committed stays."""
        for worker in list(self._workers):
            self._forget(worker)
            worker.kill()
        self._selector.close()

    def _start(self) -> _Worker:
        taken = {worker.slot for worker in self._workers}
        slot = next(number for number in range(self.jobs) if number not in taken)
        worker = _Worker(slot, self._environment(slot), self._bound(), pinned=self.device.startswith("cuda"))
        self._workers.append(worker)
        self._selector.register(worker.outbox, selectors.EVENT_READ, worker)
        return worker

    def _environment(self, slot: int) -> dict[str, str]:
        """Return what a worker finds set before torch is imported."""
        variables = {"OMP_NUM_THREADS": str(self.threads), "PYTHONHASHSEED": "0"}
        if gpus := gpus_of(self.device):
            variables["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
        if os.environ.get("CUBLAS_WORKSPACE_CONFIG") != ":16:8":  # the other value with which cuBLAS repeats its bits
            variables["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **variables}

    def _bound(self) -> int | None:
        if self.memory is None and self.device == "cpu":
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 9 // 10 >> 20
        return self.memory  # CUDA reserves addresses beyond all memory: only what is asked for bounds it

    def _heard(self, worker: _Worker) -> Iterator[Event]:
        lines = worker.lines()
        if lines is None:
            yield from self._lost(worker)
            return
        for line in lines:
            event = Event(line["task"], line["attempt"], line["kind"], line["data"])
            if event.kind == "beat":
                self._beat(event)
                continue
            if event.kind == "done":
                worker.free()
            yield event

    def _looked_after(self) -> Iterator[Event]:
        """Kill workers whose grace is over; yield the loss of those that died while a child holds their pipe open."""
        for worker in list(self._workers):
            if worker.kill_at is not None and time.monotonic() >= worker.kill_at:
                worker.kill_group()
            if worker.process.poll() is not None and worker.is_silent():
                yield from self._lost(worker)

    def _lost(self, worker: _Worker) -> Iterator[Event]:
        """Yield why a worker ended unexpectedly."""
        self._forget(worker)
        worker.kill_group()
        code = worker.wait()
        if worker.task is not None:
            loss = why_lost(code, worker.oom_killed())
            loss["again"] = loss["again"] or worker.has_done  # it may have died of a trial before this one
            yield Event(worker.task.id, worker.attempt, "lost", loss)

    def _forget(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.outbox)


class _Worker:
    """A worker process with its two pipes, the task it has, and when it is to be killed."""

    def __init__(self, slot: int, environment: Mapping[str, str], memory: int | None, pinned: bool) -> None:
        inbox, self._inbox = os.pipe()
        self.outbox, outbox = os.pipe()
        self.slot = slot
        self.task: Task | None = None
        self.attempt = 0
        self.kill_at: float | None = None
        self.has_done = False
        self._device = "cuda:0" if pinned else None
        self._text = b""
        self._oom_kills_before = count_oom_kills()
        try:
            self.process = subprocess.Popen(
                # -P: what lies in the working folder must not stand in for what is installed
                [sys.executable, "-P", "-m", "genbench.engines.worker_main", str(inbox), str(outbox)],
                pass_fds=(inbox, outbox),
                stdin=subprocess.DEVNULL,
                process_group=0,  # so that Ctrl-C is the driver's to heed, and all that a plugin starts can be killed
                env=environment,
            )
        finally:
            os.close(inbox)
            os.close(outbox)
        self._send({"path": sys.path, "memory": memory})

    def give(self, task: Task, attempt: int) -> None:
        """Give it a task."""
        self.task, self.attempt = task, attempt
        self._oom_kills_before = count_oom_kills()
        named = {"task": task.id, "attempt": attempt}
        self._send({"kind": "task", **named, "spec": task.spec, "device": self._device, "gpus": task.gpus})

    def free(self) -> None:
        """Note that its task is done."""
        self.task = self.kill_at = None
        self.has_done = True

    def stop(self) -> None:
        """Ask it to save and stop within the grace."""
        self.kill_at = time.monotonic() + GRACE
        if self.task is not None:
            self._send({"kind": "stop", "task": self.task.id, "attempt": self.attempt})

    def lines(self) -> list[dict[str, Any]] | None:
        """Return the messages that are there, or None when there will be no more."""
        read = os.read(self.outbox, 1 << 16)
        if not read:
            return None
        *whole, self._text = (self._text + read).split(b"\n")
        return [decode(line) for line in whole]

    def is_silent(self) -> bool:
        """Return whether nothing is left to be read."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.outbox, selectors.EVENT_READ)
            return not selector.select(0)

    def oom_killed(self) -> bool:
        """Return whether the kernel killed a process for want of memory since this one was given its task."""
        return count_oom_kills() > self._oom_kills_before

    def kill(self) -> None:
        """End it at once."""
        self.kill_group()
        self.wait()

    def kill_group(self) -> None:
        """Kill it with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Return its exit code, negative for a signal; close its pipes."""
        for descriptor in (self._inbox, self.outbox):
            if descriptor >= 0:
                os.close(descriptor)
        self._inbox = self.outbox = -1
        return self.process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        content = encode(message)
        try:
            while content:
                content = content[os.write(self._inbox, content) :]
        except BrokenPipeError:
            pass  # it died: the end of its outbox tells


def count_oom_kills() -> int:
    """Return how often the kernel has killed a process for want of memory, or 0 where it does not say."""
    try:
        counters = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines())
        return int(counters.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def why_lost(code: int, oom_killed: bool) -> dict[str, Any]:
    """Return what an exit code says: the status, the reason, and whether the trial may be tried again.

    A signal from outside says nothing of the trial, which goes on from its last checkpoint. What the trial brought on
    itself would come again.
    """
    if code == GPU_LOST:
        loss = {"status": "failed", "reason": "its GPU could not be used any more in its process"}
        return {**loss, "again": True, "counts": False}  # it came further: one metric more is known to fail
    if code == -signal.SIGKILL and oom_killed:
        return {"status": "out-of-memory", "reason": "the kernel killed its process for want of memory", "again": False}
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT):
        return {"status": "interrupted", "reason": f"its process was killed by {_name(code)}", "again": True}
    if code < 0:
        return {"status": "failed", "reason": f"its process died of {_name(code)}; see output.txt", "again": False}
    return {"status": "failed", "reason": f"it ended its process with exit code {code}", "again": False}


def _name(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
