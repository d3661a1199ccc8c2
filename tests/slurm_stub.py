"""A Slurm of one node for the tests: its commands on the PATH, which really run the jobs' scripts in the background.

Each command is this file under another name. What it knows is a file for each job in $SLURM_STUB; what it is to do wrong
are files there too: `hold` starts nothing, `say-sbatch`, `say-squeue` and `say-sacct` answer with their content,
`fail-squeue` and its like fail with theirs, and `forget` lets squeue show no job that has ended.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "srun")
NODES = 2
"""Elements of an array that run at once."""

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT", "PREEMPTED")


class SlurmStub:
    """The stub as a test sees it."""

    def __init__(self, folder: Path, environ: Callable[[str, str], None]) -> None:
        self.folder = folder / "slurm state"
        self.folder.mkdir(parents=True)
        bin = folder / "slurm-bin"
        bin.mkdir()
        for name in COMMANDS:
            (bin / name).write_text(
                f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S {shlex.quote(__file__)} {name} "$@"\n'
            )
            (bin / name).chmod(0o755)
        environ("PATH", f"{bin}{os.pathsep}/usr/bin{os.pathsep}/bin")
        environ("SLURM_STUB", str(self.folder))

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return all jobs, by their ids."""
        return dict(_jobs(self.folder))

    def states(self) -> list[str]:
        """Return the states of all jobs."""
        return [job["state"] for job in self.jobs.values()]

    def let(self, what: str, content: str = "") -> None:
        """Have it do something wrong."""
        (self.folder / what).write_text(content)

    def no_more(self, what: str) -> None:
        """Have it do that no more."""
        (self.folder / what).unlink()

    def signal(self, job: str, number: int) -> None:
        """Send a signal to all processes of a job but its shell."""
        _signal(self.jobs[job], number)

    def end(self, job: str, state: str) -> None:
        """End a job at once, in such a state: as an operator does, or a node that fails."""
        found = self.jobs[job]
        _keep(self.folder, job, state=state)
        if found["pid"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(found["pid"], signal.SIGKILL)

    def preempt(self, job: str) -> None:
        """Tell a job that its time is over, and queue it again once it has ended."""
        _keep(self.folder, job, again=True)
        self.signal(job, signal.SIGTERM)

    def close(self) -> None:
        """End everything."""
        self.let("over")
        for job, found in self.jobs.items():
            if found["state"] not in ENDED:
                self.end(job, "CANCELLED")


# What it keeps --------------------------------------------------------------------------------------------------------


def _jobs(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    paths = sorted(folder.glob("job-*.json"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.stem)])
    for path in paths:
        yield path.stem.removeprefix("job-"), json.loads(path.read_text())


def _keep(folder: Path, job: str, **changes: Any) -> None:
    with _locked(folder):
        path = folder / f"job-{job}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        beside = folder / f".{job}.{os.getpid()}"
        beside.write_text(json.dumps({**known, **changes}))
        beside.replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _signal(job: dict[str, Any], number: int) -> None:
    if job["pid"]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job["pid"], number)


# The commands ---------------------------------------------------------------------------------------------------------


def sbatch(folder: Path, arguments: list[str]) -> None:
    script = Path(arguments[-1]).resolve()
    options = dict(
        shlex.split(line)[1].removeprefix("--").partition("=")[::2]
        for line in script.read_text().splitlines()
        if line.startswith("#SBATCH ")
    )
    with _locked(folder):
        number = str(len(list(folder.glob("array-*"))) + 1)
        (folder / f"array-{number}").write_text(json.dumps(options))
    last = re.match(r"0-(\d+)%(\d+)", options.get("array", ""))
    jobs = [f"{number}_{index}" for index in range(int(last[1]) + 1)] if last else [number]
    for job in jobs:
        _keep(folder, job, state="PENDING", pid=0, name=options["job-name"], restarts=0, again=False)
    most = min(NODES, int(last[2])) if last else 1
    subprocess.Popen(
        [sys.executable, "-S", __file__, "node", str(script), str(most), options["output"], *jobs],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    print(f"Submitted batch job {number}")


def node(folder: Path, arguments: list[str]) -> None:
    """Run the jobs of an array, some at a time, until all have ended."""
    script, most, output, *jobs = arguments
    running: dict[str, subprocess.Popen[bytes]] = {}
    while not (folder / "over").exists():
        known = dict(_jobs(folder))
        for job, process in list(running.items()):
            if (code := process.poll()) is not None and not _is_there(process.pid):
                del running[job]
                _ended(folder, job, known[job], code)
        waiting = [job for job in jobs if dict(_jobs(folder))[job]["state"] == "PENDING" and job not in running]
        if not waiting and not running:
            return
        if waiting and len(running) < int(most) and not (folder / "hold").exists():
            running[waiting[0]] = _start(folder, script, waiting[0], output)
        time.sleep(0.05)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _ended(folder: Path, job: str, known: dict[str, Any], code: int) -> None:
    if known["again"]:
        _keep(folder, job, state="PENDING", pid=0, again=False, restarts=known["restarts"] + 1)
    elif known["state"] not in ENDED:
        _keep(folder, job, state="COMPLETED" if code == 0 else "FAILED", pid=0)
    else:
        _keep(folder, job, pid=0)


def _start(folder: Path, script: str, job: str, output: str) -> "subprocess.Popen[bytes]":
    array, _, index = job.partition("_")
    named = {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": index} if index else {}
    path = output.replace("%A", array).replace("%a", index).replace("%j", job)

    def shell_hears_nothing() -> None:
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

    with open(path, "ab") as file:
        process = subprocess.Popen(
            ["/bin/bash", script],
            env={**os.environ, "SLURM_JOB_ID": job, **named},
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=shell_hears_nothing,
        )
    _keep(folder, job, state="RUNNING", pid=process.pid)
    return process


def squeue(folder: Path, arguments: list[str]) -> None:
    for job, known in _jobs(folder):
        if known["state"] not in ENDED or not (folder / "forget").exists():
            waits = "Resources" if known["state"] == "PENDING" else "None"
            print(f"{job}|{known['state']}|{waits}|{known['name']}")


def sacct(folder: Path, arguments: list[str]) -> None:
    (job,) = (argument.partition("=")[2] for argument in arguments if argument.startswith("--jobs="))
    state = dict(_jobs(folder))[job]["state"]
    print("CANCELLED by 1000" if state == "CANCELLED" else state)


def scancel(folder: Path, arguments: list[str]) -> None:
    for job in (argument for argument in arguments if not argument.startswith("--")):
        known = dict(_jobs(folder))[job]
        if known["state"] not in ENDED:
            _keep(folder, job, state="CANCELLED")
            _signal(known, signal.SIGTERM)


def scontrol(folder: Path, arguments: list[str]) -> None:
    assert arguments[0] == "requeue"
    _keep(folder, arguments[1], again=True)


def srun(folder: Path, arguments: list[str]) -> None:
    while arguments[0].startswith("-"):
        arguments = arguments[2:] if arguments[0] == "--output" else arguments[1:]
    os.execvp(arguments[0], arguments)


def main(command: str, arguments: list[str]) -> int:
    """Do as a command of Slurm's does."""
    folder = Path(os.environ["SLURM_STUB"])
    with (folder / "calls").open("a") as file:
        file.write(json.dumps([command, *arguments]) + "\n")
    if (failing := folder / f"fail-{command}").exists():
        print(failing.read_text(), file=sys.stderr)
        return 1
    if (said := folder / f"say-{command}").exists():
        sys.stdout.buffer.write(said.read_bytes())
        return 0
    globals()[command](folder, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
