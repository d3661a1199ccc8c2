"""Slurm, as its own commands show it: arrays submitted by submitit, the queue asked by squeue and sacct, scancel."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from genbench import GenbenchError
from genbench.io import printable
from genbench_plugins.engines.slurm_folder import JOB, ArrayFolder
from genbench_plugins.engines.slurm_job import Element

ANSWERED_IN = 60.0
"""Seconds in which one of Slurm's commands answers."""

MOST = 1000
"""Elements of an array: the greatest index that Slurm takes unless its administrator says otherwise."""

COLUMNS = "%i|%T|%r|%j"
ROW = re.compile(r"([0-9]+(?:[_+][0-9]+)?)(?:_\[[^|]*\])?\|([A-Z_]+)\|([^|]*)\|(.*)")

WAITING = frozenset(
    {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT", "SUSPENDED", "STOPPED"}
)
"""States of a job that waits for resources, or for an operator."""

ALIVE = WAITING | {"CONFIGURING", "RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT"}
"""States of a job that has not ended, or will be begun again."""


class Unanswered(GenbenchError):
    """A command of Slurm's failed: its controller may be away for a while."""


@dataclass(frozen=True)
class State:
    """How a job stands, in Slurm's word, and why it waits; name is the job's."""

    word: str
    reason: str = ""
    name: str = ""

    @property
    def is_alive(self) -> bool:
        """Return whether it has not ended."""
        return self.word in ALIVE

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for resources, or for an operator."""
        return self.word in WAITING


@dataclass(frozen=True)
class Wishes:
    """What is asked of Slurm for each job, beside processors."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = None
    time: str | None = None
    memory: int | None = None
    jobs: int | None = None


def check_installed(*commands: str) -> None:
    """Raise GenbenchError where submitit is not installed, or a command of Slurm's is not there."""
    if find_spec("submitit") is None:
        raise GenbenchError("engine slurm: submitit is not installed; run: python -m pip install 'genbench[slurm]'")
    for command in commands:
        if shutil.which(command) is None:
            raise GenbenchError(
                f"engine slurm: {command} is not on the PATH; expected a machine from which Slurm takes jobs"
            )


class SlurmQueue:
    """The queue of this user."""

    commands = ("sbatch", "squeue", "scancel", "srun")

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes

    def slots(self, cpus: int) -> int:
        """Return how many tasks are taken at once: as many as there are, which wait in Slurm's own queue."""
        return 1_000_000

    def submit(self, folder: ArrayFolder, elements: Sequence[Element]) -> list[str]:
        """Submit elements as an array; return their jobs. Raises GenbenchError where Slurm refuses."""
        import submitit

        if "%" in str(folder.path):
            raise GenbenchError(f"engine slurm: {printable(folder.path)}: Slurm replaces % in paths; give another name")
        try:
            executor = submitit.SlurmExecutor(folder.path, python=f"{shlex.quote(sys.executable)} -P")
            executor.update_parameters(**self._parameters(folder, elements[0]))
            with executor.batch():
                jobs = [executor.submit(element) for element in elements]
            found = [job.job_id for job in jobs]
        except Exception as error:
            raise GenbenchError(f"engine slurm: sbatch refuses: {_said(error)}") from error
        if not all(JOB.fullmatch(job) for job in found):
            raise GenbenchError(f"engine slurm: sbatch answers with job {printable(found[0])!r}; expected a number")
        return found

    def _parameters(self, folder: ArrayFolder, element: Element) -> dict[str, Any]:
        wishes, task = self._wishes, element.task
        given = {name: getattr(wishes, name) for name in ("partition", "account", "qos", "constraint", "time")}
        return {
            **given,
            "gres": wishes.gres or ("gpu:1" if task.gpus else None),
            "mem": f"{wishes.memory}M" if wishes.memory else None,
            "job_name": folder.name,
            "cpus_per_task": task.cpus,
            "array_parallelism": wishes.jobs or MOST,
            "wckey": None,
            "stderr_to_stdout": True,
            "additional_parameters": {"requeue": True},
            "srun_args": [f"--cpus-per-task={task.cpus}"],
        }

    def look(self) -> dict[str, State]:
        """Return this user's jobs that are queued, run or ended lately. Raises GenbenchError for an odd answer."""
        command = ["squeue", f"--user={os.getuid()}", "--noheader", "--array", "--states=all", f"--format={COLUMNS}"]
        found = {}
        for line in _asked(command).splitlines():
            row = ROW.fullmatch(line.strip())
            if row is None:
                raise GenbenchError(
                    f"engine slurm: squeue answers {printable(line, 80)!r}; expected JOB|STATE|REASON|NAME"
                )
            found[row[1]] = State(row[2], printable(row[3], 80), row[4])
        return found

    def ended(self, job: str) -> State:
        """Return how a job ended that the queue shows no more; where accounts are not kept, nobody knows."""
        if shutil.which("sacct") is None:
            return State("")
        try:
            said = _asked(["sacct", "--noheader", "--parsable2", "--allocations", "--format=State", f"--jobs={job}"])
        except Unanswered:
            return State("")
        word = said.split("\n", 1)[0].split(" ", 1)[0].strip()
        if not re.fullmatch(r"[A-Z_]*", word):
            raise GenbenchError(f"engine slurm: sacct answers {printable(said, 80)!r}; expected a state, as in FAILED")
        return State(word)

    def cancel(self, jobs: Iterable[str]) -> None:
        """Cancel jobs: those that wait at once, those that run are told by SIGTERM."""
        named = sorted(jobs)
        for first in range(0, len(named), MOST):
            _asked(["scancel", "--quiet", *named[first : first + MOST]])

    def close(self) -> None:
        """Do nothing: what was cancelled, Slurm sees to."""


def _asked(command: Sequence[str]) -> str:
    """Return what a command of Slurm's says. Raises Unanswered where it fails."""
    variables: Mapping[str, str] = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=ANSWERED_IN, check=True, env=variables, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unanswered(f"engine slurm: {command[0]} fails: {_said(error)}") from error
    return done.stdout.decode("utf-8", "replace")


def _said(error: Exception) -> str:
    """Return what a command said of itself, or else the error."""
    said = getattr(error, "stderr", None) or str(error) or type(error).__name__
    return printable(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)
