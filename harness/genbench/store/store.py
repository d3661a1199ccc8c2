"""The results folder as a database: every trial by its id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from genbench import files
from genbench.errors import GenbenchError, StoreError, printable
from genbench.store.folder import TrialFolder
from genbench.store.records import TrialRecord

FRESH = ".fresh"


class Store:
    """A results folder. Its trials lie in trials/<model>-<dataset>-s<seed>-<id>; only the id is read from the name.

    Folders of several people are merged by copying. Where a trial then lies in several folders, the one with most
    stages counts, and what differs in a stage that both have is an error: nothing is chosen silently.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trials = root / "trials"
        self._paths: dict[str, list[Path]] | None = None

    def check_readable(self) -> None:
        """Raise StoreError where there are no results to read."""
        if not self._listed():
            raise StoreError(f"no results in {printable(self.root)}: expected a folder that genbench run wrote to")

    def check_writable(self) -> None:
        """Raise StoreError where nothing can be written in the folder of trials, or something else is in its place."""
        try:
            files.check_writable(self.trials)
        except OSError as error:
            where, why = printable(self.root), error.strerror or error
            raise StoreError(f"cannot write to {where}: {why}; expected a folder to write to, by --results") from error

    def fresh_mark(self) -> str:
        """Return the mark of a run that trains anew and was interrupted, or ""."""
        try:
            return files.read_text(self.root / FRESH, follow=False).strip()[:64]
        except (OSError, ValueError):
            return ""

    def keep_fresh_mark(self, mark: str) -> None:
        """Keep the mark of a run that trains anew, so that the same command goes on with it; "" forgets it."""
        if mark:
            files.write_text(self.root / FRESH, mark)
        else:
            (self.root / FRESH).unlink(missing_ok=True)

    def folder(self, trial_id: str, name: str) -> TrialFolder:
        """Return the folder of a trial: the one that has it, or a new one under this name."""
        mine = [self.trials / f"{name}-{trial_id}"]
        if self._paths is None:  # a worker asks for one trial: to look at thousands of others would take longer than it
            paths = [path for path in self.trials.glob(f"*-{trial_id}") if _is_folder(path)] or mine
        else:
            paths = self._paths.setdefault(trial_id, mine)
        return _chosen(trial_id, paths)[0] if len(paths) > 1 else TrialFolder(paths[0])

    def find(self, trial_id: str) -> tuple[TrialFolder, TrialRecord] | None:
        """Return a trial's folder and record, or None. Raises DamagedError, or StoreError for what cannot be used."""
        paths = self._index().get(trial_id)
        if paths is None:
            return None
        folder, record = _chosen(trial_id, paths)
        return None if record is None else (folder, record)

    def get(self, trial_id: str) -> TrialRecord | None:
        """Return the record of a trial, or None; raises what `find` raises."""
        found = self.find(trial_id)
        return found[1] if found else None

    def all(self) -> Iterator[tuple[TrialFolder, TrialRecord | GenbenchError]]:
        """Yield every trial's folder with its record, or with what is wrong with it."""
        for trial_id, paths in self._index().items():
            try:
                folder, record = _chosen(trial_id, paths)
            except GenbenchError as error:
                yield TrialFolder(paths[0]), error
            else:
                if record is not None:
                    yield folder, record

    def _listed(self) -> list[Path]:
        try:
            return sorted(self.trials.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreError(f"cannot read {printable(self.trials)}: {error.strerror or error}") from error

    def _index(self) -> dict[str, list[Path]]:
        if self._paths is None:
            self._paths = {}
            for path in self._listed():
                if _is_folder(path):
                    self._paths.setdefault(path.name.rpartition("-")[2], []).append(path)
        return self._paths


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder and no link, which may lead anywhere: nothing is written through one."""
    return path.is_dir() and not path.is_symlink()


def _chosen(trial_id: str, paths: Sequence[Path]) -> tuple[TrialFolder, TrialRecord | None]:
    """Return the folder of a trial that counts, with its record. Raises StoreError where they contradict each other."""
    read = [(folder, folder.record()) for folder in map(TrialFolder, paths)]
    known = [(folder, record) for folder, record in read if record is not None]
    if not known:
        return read[0]
    folder, record = max(known, key=lambda pair: len(pair[1].stages))
    for other, theirs in known:
        for stage in record.stages.keys() & theirs.stages.keys():
            ours, other_digest = record.stages[stage].digest, theirs.stages[stage].digest
            if not ours.startswith(other_digest) and not other_digest.startswith(ours):  # samples may have grown
                raise StoreError(
                    f"trial {trial_id} lies in two folders that differ in {stage}: {printable(folder.path)} and "
                    f"{printable(other.path)}; remove one of them"
                )
    return folder, record
