"""A trial's folder on its way between machines that share none: what changed in it, sent and taken in."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from genbench import files
from genbench.api import Task
from genbench.errors import GenbenchError, StoreError, printable
from genbench.store.layout import RECORD
from genbench.store.locks import Busy
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial.identity import Assignment

Changes = Mapping[str, bytes | None]
"""Files by their path in a trial's folder, with their content; None for one that is gone."""


def folder_of(assignment: Assignment) -> TrialFolder:
    """Return a trial's folder: the one that the run has found for it, else the one that is found here."""
    store, trial = Store(Path(assignment.results)), assignment.trial
    return (
        TrialFolder(store.trials / assignment.folder)
        if assignment.folder
        else store.folder(trial.id, trial.folder_name)
    )


class TrialFiles:
    """The files of a task's trial on this machine, as an engine carries them to another and back.

    What is sent is whole, or is found not to be: the record of what is finished is read first and written last.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._assignment = Assignment.from_json(task.spec)
        self._folder = folder_of(self._assignment)
        self._seen: dict[str, list[int]] = {}
        self._held = contextlib.ExitStack()

    @property
    def results(self) -> Path:
        """Return the folder of results that the trial is one of."""
        return Path(self._assignment.results)

    def elsewhere(self, results: Path) -> Task:
        """Return the task that performs the same trial in another folder of results."""
        moved = dataclasses.replace(self._assignment, results=str(results), folder=self._folder.path.name)
        return dataclasses.replace(self._task, spec=moved.to_json())

    def hold(self) -> dict[str, Any] | None:
        """Keep other processes from the trial until `release`.

        Where that cannot be, what its `done` event is to hold is returned: one is at work, or nothing can be written.
        """
        try:
            self._held.enter_context(self._folder.lock())
        except Busy as error:
            return {"status": "busy", "reason": printable(error)}
        except GenbenchError as error:
            return {"status": "error", "reason": str(error), "error": type(error).__name__}
        return None

    def release(self) -> None:
        """Let others at the trial."""
        self._held.close()

    def changes(self) -> dict[str, bytes | None]:
        """Return what is new or gone since the last call, or since something was taken in."""
        root, before = self._folder.path, self._seen
        self._seen = self._states()
        changed = sorted((name for name in self._seen if self._seen[name] != before.get(name)), key=_record_first)
        found: dict[str, bytes | None] = {name: None for name in before if name not in self._seen}
        for name in changed:
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile: it is missed the next time
                found[name] = files.read_bytes(root / name, follow=False)
        return found

    def take(self, changes: Changes) -> None:
        """Write what another machine sent. Raises StoreError where that cannot be."""
        for name in sorted(changes, key=_record_first, reverse=True):
            path, content = self._folder.path / _checked(name), changes[name]
            if content is not None:
                with files.replacing(path) as aside:
                    aside.write_bytes(content)
                continue
            with contextlib.suppress(OSError):  # it is gone here too, or something else is in its folder
                path.unlink()
                path.parent.rmdir()
        self._seen = self._states()

    def _states(self) -> dict[str, list[int]]:
        """Return what tells each file from a changed one; not those of locks, progress and writers."""
        states: dict[str, list[int]] = {}
        root = self._folder.path
        for where, _, names in os.walk(root):
            for path in (Path(where, name) for name in names if not name.startswith(".")):
                with contextlib.suppress(FileNotFoundError):
                    states[path.relative_to(root).as_posix()] = files.state(path.lstat())
        return states


def _record_first(name: str) -> tuple[bool, str]:
    return name != RECORD, name


def _checked(name: str) -> str:
    """Return a name that leads nowhere else. Raises StoreError for another."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or any(part.startswith(".") for part in parts):
        raise StoreError(f"a node sent a file named {printable(name)!r}; expected one of a trial's folder")
    return name
