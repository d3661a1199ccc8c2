"""The results folder as a database: every trial by its id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from genbench.errors import GenbenchError, StoreError, printable
from genbench.store.folder import TrialFolder
from genbench.store.records import TrialRecord


class Store:
    """A results folder. Its trials lie in trials/<model>-<dataset>-s<seed>-<id>; only the id is read from the name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trials = root / "trials"
        self._paths: dict[str, Path] | None = None

    def check_readable(self) -> None:
        """Raise StoreError where there are no results to read."""
        if not self.trials.is_dir():
            raise StoreError(f"no results in {printable(self.root)}: expected a folder that genbench run wrote to")

    def folder(self, trial_id: str, name: str) -> TrialFolder:
        """Return the folder of a trial: the one that has it, or a new one under this name."""
        return TrialFolder(self._index().setdefault(trial_id, self.trials / f"{name}-{trial_id}"))

    def get(self, trial_id: str) -> TrialRecord | None:
        """Return the record of a trial, or None where the store has none. Raises StoreError where it is damaged."""
        path = self._index().get(trial_id)
        return TrialFolder(path).record() if path else None

    def all(self) -> Iterator[tuple[TrialFolder, TrialRecord | GenbenchError]]:
        """Yield every trial's folder with its record, or with what is wrong with it."""
        for path in self._index().values():
            folder = TrialFolder(path)
            try:
                record = folder.record()
            except GenbenchError as error:
                yield folder, error
            else:
                if record is not None:
                    yield folder, record

    def _index(self) -> dict[str, Path]:
        if self._paths is None:
            found = sorted(self.trials.iterdir()) if self.trials.is_dir() else []
            self._paths = {path.name.rpartition("-")[2]: path for path in found if path.is_dir()}
        return self._paths
