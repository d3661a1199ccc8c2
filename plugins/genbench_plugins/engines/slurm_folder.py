"""What a job array and whoever asks for it say to each other: files in the shared results folder, that outlive both."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from genbench import GenbenchError, Task, opened
from genbench.io import printable

FOLDER = ".slurm"
TOKEN = re.compile(r"[0-9a-f]{16}")
JOB = re.compile(r"[0-9]{1,12}(_[0-9]{1,7})?")
LARGEST = 1 << 26
"""Bytes of a file that is read: an array of a thousand trials has about a hundred thousand."""

WAITED = 60.0
"""Seconds in which another run, which submits now, has submitted."""

Line = dict[str, Any]


def digest(task: Task) -> str:
    """Return what tells apart two tasks of one trial: one may ask for another metric."""
    return sha256(task.spec.encode("utf-8", "surrogatepass")).hexdigest()


@contextlib.contextmanager
def submitting(root: Path) -> Iterator[None]:
    """Let one run at a time look at the arrays of a results folder and add to them."""
    from filelock import FileLock, Timeout

    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".lock", timeout=WAITED, fallback_to_soft=False):
            yield
    except Timeout as error:
        raise GenbenchError(f"engine slurm: another run is still submitting in {printable(root)}; try again") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GenbenchError(f"engine slurm: cannot lock {printable(root)}: {printable(reason)}") from error


def known(root: Path) -> list[ArrayFolder]:
    """Return the arrays of a results folder, however they stand. What is none is passed over."""
    folders = sorted(path for path in root.glob("*") if TOKEN.fullmatch(path.name) and not path.is_symlink())
    return [folder for folder in map(ArrayFolder, folders) if folder.tasks]


@dataclass(frozen=True)
class ArrayFolder:
    """The folder of an array: which tasks it has, and what submitit keeps; its owner alone reads or changes it."""

    path: Path

    @classmethod
    def new(cls, root: Path, tasks: Sequence[Task]) -> ArrayFolder:
        """Make that of an array about to be submitted."""
        folder = cls(root / secrets.token_hex(8))
        folder.path.mkdir(mode=0o700)  # jobs unpickle what lies there
        for index in range(len(tasks)):
            folder.mailbox(index).path.touch()  # before it is looked for: that it is not there may be remembered
        folder._write("tasks", [{"id": task.id, "digest": digest(task)} for task in tasks])
        return folder

    @property
    def name(self) -> str:
        """Return the name of its jobs."""
        return f"genbench-{self.path.name}"

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Return id and digest of each task."""
        found = self._read("tasks")
        is_known = isinstance(found, list) and all(isinstance(each, dict) for each in found)
        return [(str(each.get("id")), str(each.get("digest"))) for each in found] if is_known else []

    @property
    def jobs(self) -> list[str]:
        """Return the job of each task, [] where whoever submitted them could not say so."""
        found = self._read("jobs")
        is_known = isinstance(found, list) and len(found) == len(self.tasks)
        return found if is_known and all(isinstance(job, str) and JOB.fullmatch(job) for job in found) else []

    def keep_jobs(self, jobs: Sequence[str]) -> None:
        """Note the job of each task."""
        self._write("jobs", list(jobs))

    def mailbox(self, index: int) -> Mailbox:
        """Return what a job and its run write to each other."""
        return Mailbox(self.path / f"{index}.events")

    def remove(self) -> None:
        """Remove it, and the folder of arrays with the last of them."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write(self, name: str, value: object) -> None:
        beside = self.path / f".{name}.json"
        beside.write_text(json.dumps(value), encoding="utf-8")
        beside.replace(self.path / f"{name}.json")

    def _read(self, name: str) -> Any:
        try:
            with opened(self.path / f"{name}.json", follow=False) as file:
                return json.loads(file.read(LARGEST))
        except (OSError, ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Mailbox:
    """A file to which a job adds lines of JSON, and a mark beside it by which it is asked to stop.

    Lines are added in place: over a network file system whoever opens a file sees what was added to it before, and a
    file put in its place perhaps only minutes later.
    """

    path: Path

    def say(self, kind: str, data: Mapping[str, Any]) -> None:
        """Add a line."""
        line = json.dumps({"kind": kind, "at": time.time(), "data": dict(data)}) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def heard(self, offset: int) -> tuple[list[Line], int]:
        """Return the whole lines after so many bytes, and how many bytes that makes."""
        try:
            with opened(self.path, follow=False) as file:
                file.seek(offset)
                read = file.read(LARGEST)
        except OSError:
            return [], offset
        whole = read[: read.rfind(b"\n") + 1]
        return [line for each in whole.splitlines() if (line := _line(each))], offset + len(whole)

    def ask_to_stop(self) -> None:
        """Ask the job to save and stop."""
        with contextlib.suppress(OSError):
            self._stop.touch()

    def is_to_stop(self) -> bool:
        """Return whether the job was asked to."""
        return self._stop.exists()

    @property
    def _stop(self) -> Path:
        return self.path.with_suffix(".stop")


def _line(text: bytes) -> Line | None:
    """Return a line's message; None for what is none: a job may have been killed while it wrote."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("data"), dict) else None
