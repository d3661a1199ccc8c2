"""One trial's folder: stages committed whole, read back with their checksums, set aside where they are damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genbench import files, leftovers
from genbench.errors import DamagedError, NotKept, StoreError, printable
from genbench.store import locks
from genbench.store.layout import BULK, RECORD, Keep
from genbench.store.records import Stage, TrialRecord
from genbench.store.sealed import SealedFolder

Writer = Callable[[Path], object]

CHECKPOINT = "checkpoint"
SYNC_AFTER = 1.0
"""Seconds of work: a trial that holds more is written so that it outlives a loss of power, whatever that costs."""

DAMAGED = ".damaged-"
"""In the names of what was set aside: fit.damaged-1."""


class TrialFolder:
    """The folder of one trial. What trial.json lists is finished; anything else in it does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder's lock. Raises Busy where another process does, StoreError where nothing can be written."""
        self._refuse_strange()
        return locks.held(self.path)

    def _refuse_strange(self) -> None:
        """Raise StoreError for links, which lead elsewhere, and for pipes and devices, which may never answer."""
        inside = (Path(where, name) for where, folders, names in os.walk(self.path) for name in (*folders, *names))
        for path in (self.path, *inside):
            with contextlib.suppress(FileNotFoundError):  # not there yet, or removed meanwhile by another process
                kind = path.lstat().st_mode
                if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                    what = "a link" if stat.S_ISLNK(kind) else "no plain file"
                    raise StoreError(f"{printable(path)} is {what}; expected what genbench wrote there: remove it")

    # Reading

    def record(self) -> TrialRecord | None:
        """Return what trial.json says, checked whole, or None where there is none.

        Raises DamagedError where it is not what was written, StoreError where it is not what genbench writes: nothing
        that such a record lists may be touched.
        """
        path = self.path / RECORD
        try:
            content = files.read_record(path)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        return TrialRecord.from_json(content, printable(path))

    def has_fit(self) -> bool:
        """Return whether the folder holds a trained model; False where its record cannot be read."""
        with contextlib.suppress(StoreError):
            record = self.record()
            return record is not None and "fit" in record.stages
        return False

    def checked(self, record: TrialRecord, stage: str, name: str) -> Path:
        """Return the path of a stage's file.

        Raises DamagedError where it is not what was committed, NotKept where it was let go.
        """
        if name in record.dropped:
            raise NotKept(f"its {BULK[stage]} were not kept", stage)
        stamp = record.stages[stage].files.get(name)
        problem = self._problem(name, stamp, None) if stamp else f"{printable(self.path)} has no {printable(name)}"
        if problem:
            raise DamagedError(problem, stage)
        return self.path / name

    def content(self, record: TrialRecord, stage: str, name: str) -> bytes:
        """Return the content of a stage's file, of which the very bytes returned are what was committed.

        Raises DamagedError where they are not, NotKept where it was let go.
        """
        path = self.checked(record, stage, name)
        content = files.read_bytes(path, follow=False)
        if hashlib.sha256(content).hexdigest() != record.stages[stage].files[name]["sha256"]:
            raise DamagedError(f"{printable(path)} changed while it was read; try again once nobody is at work", stage)
        return content

    def read(self, record: TrialRecord, stage: str, name: str) -> dict[str, Any]:
        """Return the content of a stage's JSON file. Raises DamagedError where it is not what was committed."""
        path = self.checked(record, stage, name)
        try:
            return files.read_record(path)
        except DamagedError as error:
            raise DamagedError(str(error), stage) from error

    def damage(self, record: TrialRecord, every_byte: bool = False) -> dict[str, str]:
        """Return the stages with a file that is not what was committed, each with what is wrong. Not what was let go.

        A file of the right size that is no newer than the record is taken as it was, since hashing gigabytes at each
        start would cost more than it finds: whatever is read is hashed then. every_byte hashes all, and so does a
        record from the future: what was changed since is no newer than it.
        """
        written = (self.path / RECORD).lstat().st_mtime_ns
        since = None if every_byte or written > time.time_ns() else written
        found: dict[str, str] = {}
        for stage, name, stamp in _files_of(record):
            problem = self._problem(name, stamp, since)
            if problem:
                found.setdefault(stage, problem)
        return found

    def _problem(self, name: str, expected: Mapping[str, Any], since: int | None) -> str:
        """Return what is wrong with a file, or "". One of the right size no newer than `since`, in ns, is not hashed.

        Nothing is opened that is no plain file, or that a link leads to.
        """
        path = self.path / name
        try:
            seen = path.lstat()
            linked = any(above.is_symlink() for above in path.parents[: name.count("/")])
            if linked or not stat.S_ISREG(seen.st_mode):
                return f"{printable(path)} is no plain file"
            if seen.st_size != expected["size"]:
                return f"{printable(path)} is damaged: {seen.st_size:,} bytes, where {expected['size']:,} were stored"
            if (since is None or seen.st_mtime_ns > since) and files.sha256(path, follow=False) != expected["sha256"]:
                return f"{printable(path)} is damaged: its content does not match its checksum"
        except FileNotFoundError:
            return f"{printable(path)} is missing"
        except OSError as error:
            raise StoreError(f"cannot read {printable(path)}: {error.strerror or error}") from error
        return ""

    # Writing

    def write(self, record: TrialRecord) -> TrialRecord:
        """Replace trial.json."""
        files.write_record(self.path / RECORD, record.to_json(), sync=_needs_sync(record))
        return record

    def commit(
        self,
        record: TrialRecord,
        stage: str,
        writers: Mapping[str, Writer],
        seconds: float,
        inputs: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        keep: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> TrialRecord:
        """Write a stage's files, each by its writer under a name of its own, then trial.json that lists them.

        keep are the stamps of files that the stage has already and that stay as they are.
        """
        finished = Stage({}, seconds, dict(inputs or {}), dict(details or {}))
        record = dataclasses.replace(record, stages={**record.stages, stage: finished})
        stamps = dict(keep or {})
        for name, write in sorted(writers.items()):
            with files.replacing(self.path / name, sync=_needs_sync(record)) as aside:
                write(aside)
                stamps[name] = files.stamp(aside)
        finished = dataclasses.replace(finished, files=stamps)
        there = tuple(name for name in record.dropped if name not in stamps)
        record = dataclasses.replace(record, stages={**record.stages, stage: finished}, dropped=there)
        return self.write(record.of_its_model() if stage == "fit" else record)

    def drop(self, record: TrialRecord, keep: Keep) -> TrialRecord:
        """Remove what is not to be kept, and return the record that says so. To be called under the lock.

        The record is written first: a kill leaves files that do not count, and that the next process removes.
        """
        gone = tuple(sorted({*record.dropped, *record.bulk(keep)}))
        if gone != tuple(record.dropped):
            record = self.write(dataclasses.replace(record, dropped=gone))
        self.sweep(record)
        return record

    def drop_under_lock(self, keep: Keep) -> None:
        """Remove what is not to be kept of a finished trial, as it stands now. Raises Busy where another is at work."""
        with self.lock():
            record = self.record()
            if record is not None and record.status == "done":
                self.drop(record, keep)

    def sweep(self, record: TrialRecord) -> None:
        """Remove the files that a record says were let go. To be called under the lock."""
        for name in record.dropped:
            path = self.path / name
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"cannot remove {printable(path)}: {error.strerror or error}") from error

    def settle(self, status: str, reason: str, metric: str = "") -> None:
        """Keep in the record how a trial ended whose worker cannot say so any more. A finished trial stays done.

        Where it was being scored by a metric, given by its label, that score alone is what failed.
        """
        with contextlib.suppress(locks.Busy, DamagedError), self.lock():
            record = self.record()
            if record is None or record.status == "done":
                return
            failed = {
                stage: {**request, "problem": f"{status}: {reason}"}
                for stage, request in record.wanted.items()
                if request["metric"]["label"] == metric and stage not in record.stages
            }
            status = "interrupted" if failed else status
            self.write(dataclasses.replace(record, status=status, reason=reason, wanted={**record.wanted, **failed}))

    def tidy(self) -> None:
        """Remove what killed processes left half-written. To be called under the lock."""
        for folder in (
            self.path,
            *(path for path in self.path.glob("*") if path.is_dir() and DAMAGED not in path.name),
        ):
            for path in folder.iterdir():
                if leftovers.is_aside(path):
                    path.unlink(missing_ok=True)

    def checkpoints(self, key: str, fresh: bool) -> SealedFolder:
        """Return the folder for what a training under this key keeps; those left under other keys are removed.

        With `fresh`, only the very key counts; else one that begins with it does too.
        """
        mine = self.path / f"{CHECKPOINT}-{key}"
        for other in sorted(self.path.glob(f"{CHECKPOINT}-*")):
            if not fresh and other.name.startswith(mine.name):
                mine = other
            elif other != mine:
                SealedFolder(other).clear()
        return SealedFolder(mine)

    # Damage

    def set_aside(self, record: TrialRecord, stage: str) -> TrialRecord:
        """Move a stage's files into a folder whose name says that they are damaged; return the record without it."""
        names = list(record.stages[stage].files)
        record = self.write(record.without(stage))
        self._move(names, stage)
        return record

    def set_all_aside(self) -> None:
        """Move everything aside: where the record is damaged, nothing else in the folder can be trusted.

        The names are those in the folder, none that a record lists.
        """
        keep = (locks.LOCK, locks.HOLDER)
        names = [path.name for path in self.path.iterdir() if path.name not in keep and DAMAGED not in path.name]
        self._move(names, "trial")

    def _move(self, names: list[str], what: str) -> None:
        aside = next(path for n in itertools.count(1) if not (path := self.path / f"{what}{DAMAGED}{n}").exists())
        for name in names:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).replace(aside / name)


def _needs_sync(record: TrialRecord) -> bool:
    """Return whether a trial took so long that each write waits for the disk.

    Otherwise two workers with tiny trials spend a third of their time waiting for each other's. What a loss of power
    then takes is found by its checksum, and done again in less than a second.
    """
    return sum(stage.seconds for stage in record.stages.values()) >= SYNC_AFTER


def _files_of(record: TrialRecord) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return the files that are kept: stage, name and stamp of each."""
    return [
        (stage, name, stamp)
        for stage, kept in record.stages.items()
        for name, stamp in kept.files.items()
        if name not in record.dropped
    ]
