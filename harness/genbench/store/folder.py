"""One trial's folder: stages committed whole, read back with their checksums, one writer at a time."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genbench import files
from genbench.errors import StoreError, printable
from genbench.store.records import Stage, TrialRecord

Writer = Callable[[Path], object]


class TrialFolder:
    """The folder of one trial. What trial.json lists is finished; anything else in it does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder's lock, waiting for whoever holds it. It saves work; commits are safe without it."""
        from filelock import FileLock

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            held = FileLock(self.path / ".lock")
            held.acquire()
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"cannot write to {printable(self.path)}: {reason}. Give another --results") from error
        try:
            yield
        finally:
            held.release()

    def record(self) -> TrialRecord | None:
        """Return what trial.json says, or None where there is none. Raises StoreError where it is damaged."""
        path = self.path / "trial.json"
        return TrialRecord.from_json(files.read_record(path), printable(path)) if path.exists() else None

    def write(self, record: TrialRecord) -> TrialRecord:
        """Replace trial.json."""
        files.write_record(self.path / "trial.json", record.to_json())
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
        stamps = dict(keep or {})
        for name, write in sorted(writers.items()):
            with files.replacing(self.path / name) as aside:
                write(aside)
            stamps[name] = files.stamp(self.path / name)
        finished = Stage(stamps, seconds, dict(inputs or {}), dict(details or {}))
        return self.write(dataclasses.replace(record, stages={**record.stages, stage: finished}))

    def checked(self, stage: Stage, name: str) -> Path:
        """Return the path of a stage's file. Raises StoreError where it is not what was committed."""
        path, expected = self.path / name, stage.files[name]
        if not path.is_file():
            raise StoreError(f"{printable(path)} is missing; its trial's record lists it. To redo it, add --fresh")
        if files.stamp(path) != expected:
            raise StoreError(f"{printable(path)} is damaged: it is not what was stored. To redo it, add --fresh")
        return path

    def read(self, stage: Stage, name: str) -> dict[str, Any]:
        """Return a stage's JSON file, checked against its own checksum."""
        return files.read_record(self.path / name)
