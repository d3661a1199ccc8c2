"""submitit's local executor in place of Slurm: processes of this machine, no more at once than it has room for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from genbench_plugins.engines.slurm_folder import ArrayFolder
from genbench_plugins.engines.slurm_job import Element
from genbench_plugins.engines.slurm_queue import State, Wishes

YEAR = 365 * 24 * 60
"""Minutes of a job: what bounds a trial is its deadline."""

GRACE = 15.0
"""Seconds in which jobs that were told to stop have saved, and ended."""


class LocalQueue:
    """Jobs that are processes here. It is no queue: whoever submits keeps to its slots."""

    commands = ()

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._jobs: dict[str, Any] = {}

    def slots(self, cpus: int) -> int:
        """Return how many tasks of so many processors this machine has room for, at most as many as were asked for."""
        room = max(1, len(os.sched_getaffinity(0)) // cpus)
        return min(room, self._wishes.jobs or room)

    def submit(self, folder: ArrayFolder, elements: Sequence[Element]) -> list[str]:
        """Start a process for each element; return their numbers."""
        import submitit

        executor = submitit.LocalExecutor(folder.path)
        gpus = [0] if elements[0].task.gpus else []
        executor.update_parameters(timeout_min=YEAR, gpus_per_node=len(gpus), stderr_to_stdout=True)
        with _ctrl_c_ignored():
            jobs = [executor.submit(element) for element in elements]
        self._jobs |= {job.job_id: job for job in jobs}
        return [job.job_id for job in jobs]

    def look(self) -> dict[str, State]:
        """Return how the jobs stand."""
        return {number: State("COMPLETED" if job.done() else "RUNNING") for number, job in self._jobs.items()}

    def ended(self, job: str) -> State:
        """Return that nobody knows more of a job."""
        return State("")

    def cancel(self, jobs: Iterable[str]) -> None:
        """Tell jobs to save and stop."""
        for number in set(jobs) & set(self._jobs):
            if not self._jobs[number].done():
                os.kill(int(number), signal.SIGTERM)

    def close(self) -> None:
        """Wait until jobs that were told to stop have ended, and kill those that have not within the grace."""
        until = time.monotonic() + GRACE
        while any(not job.done() for job in self._jobs.values()) and time.monotonic() < until:
            time.sleep(0.05)
        for number, job in self._jobs.items():
            if not job.done():
                os.kill(int(number), signal.SIGKILL)
        self._jobs.clear()


@contextlib.contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Let processes that are started meanwhile take no notice of Ctrl-C: whoever started them decides what follows."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
