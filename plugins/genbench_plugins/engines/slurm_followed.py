"""A task and the Slurm job that performs it, as whoever waits for it sees them; and what a job's last state says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from genbench import Task
from genbench_plugins.engines.slurm_folder import ArrayFolder
from genbench_plugins.engines.slurm_queue import State

AGAIN = frozenset({"NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "PREEMPTED", "TIMEOUT", "DEADLINE", "REVOKED"})
"""States of an ended job that say nothing of its trial, which goes on from its last checkpoint."""


@dataclass(eq=False)
class Followed:
    """A task with the job that performs it, and how much of what that says was read."""

    task: Task
    attempt: int
    array: ArrayFolder
    index: int
    job: str
    is_started: bool = False
    is_cancelled: bool = False
    state: State | None = None
    missed: int = 0
    missed_at: float = 0.0
    offset: int = 0

    @property
    def is_stopped_elsewhere(self) -> bool:
        """Return whether another run, which waited for the job too, was stopped, and has stopped the job."""
        return not self.is_cancelled and self.array.mailbox(self.index).is_to_stop()

    def lines(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield what is new: kind and data."""
        lines, self.offset = self.array.mailbox(self.index).heard(self.offset)
        for line in lines:
            yield str(line.get("kind")), line["data"]


def numbered(array: ArrayFolder, names: Mapping[str, str]) -> list[str]:
    """Return the jobs of an array whose submitter was killed before it could note them, by their name; [] for none."""
    ids = {job.partition("_")[0] for job, name in names.items() if name == array.name}
    many = len(array.tasks)
    return [f"{number}_{index}" if many > 1 else number for number in ids for index in range(many)][:many]


def why_lost(word: str, job: str) -> dict[str, Any]:
    """Return what the last state of a job says: the status, the reason, and whether the trial may be tried again."""
    if word == "OUT_OF_MEMORY":
        return {"status": "out-of-memory", "reason": "Slurm killed its job for want of memory", "again": False}
    if word == "CANCELLED":
        return interrupted(f"its job {job} was cancelled in Slurm", False)
    if word in AGAIN:
        return interrupted(f"its job {job} ended as {word} in Slurm", True)
    return interrupted(f"its job {job} ended{f' as {word}' if word else ''} and did not say why", True)


def interrupted(reason: str, again: bool) -> dict[str, Any]:
    """Return the loss of a task that goes on from its last checkpoint."""
    return {"status": "interrupted", "reason": reason, "again": again}
