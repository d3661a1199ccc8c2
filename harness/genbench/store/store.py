"""The results folder as a database: every trial by its id."""

from __future__ import annotations

import itertools
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genbench import files
from genbench.errors import DamagedError, GenbenchError, StoreError, printable
from genbench.store.pool import Pool
from genbench.store.records import TrialRecord
from genbench.store.trial_folder import TrialFolder

FRESH = ".fresh"
MARK = re.compile(r"[a-z0-9]{1,64}")
"""What a mark may be: it becomes part of the names of folders."""

Copy = tuple[TrialFolder, TrialRecord]


class Contradiction(StoreError):
    """Folders of one trial differ in what should be the same."""


@dataclass(frozen=True)
class Problem:
    """A folder that cannot be used, and why. trial is the id that it would have: by its name, nothing else is known."""

    trial: str
    folder: TrialFolder
    error: GenbenchError


@dataclass(frozen=True)
class Contents:
    """What a store holds: the folders of every trial by the id in their records, and those that cannot be used.

    The first of a trial's folders is the one that counts where one must: of those with most whole stages one under the
    name that genbench gave it, else the first by name.
    """

    trials: dict[str, list[Copy]]
    problems: list[Problem]

    def find(self, trial_id: str) -> Copy | None:
        """Return a trial's folder and record, or None.

        Raises DamagedError where all there is of it is damaged, and can be done again in its place; StoreError for what
        a person must look at.
        """
        if trial_id in self.trials:
            return self.trials[trial_id][0]
        mine = [problem for problem in self.problems if problem.trial == trial_id]
        for problem in sorted(mine, key=lambda problem: isinstance(problem.error, DamagedError)):
            if isinstance(problem.error, DamagedError | Contradiction):
                raise problem.error
            raise StoreError(
                f"{problem.error}. It is left alone: move {printable(problem.folder.path.name)} out of "
                f"{printable(problem.folder.path.parent)}, and the trial is done again"
            )
        return None


class Store:
    """A results folder. Each of its trials lies in a folder in trials/, and is what its record says, not the name.

    Folders of several people are merged by copying. Where a trial then lies in several folders, it counts once; what
    differs in a stage that both have is an error: nothing is chosen silently.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trials = root / "trials"
        self._places: dict[str, Path] | None = None
        self._taken: set[Path] = set()

    def check_readable(self) -> None:
        """Raise StoreError where there are no results to read."""
        if not self._listed():
            raise StoreError(f"no results in {printable(self.root)}: expected a folder that genbench run wrote to")

    def check_writable(self) -> None:
        """Raise StoreError where nothing can be written in the folder of trials, or something else is in its place."""
        self._refuse_link()
        try:
            files.check_writable(self.trials)
        except OSError as error:
            where, why = printable(self.root), error.strerror or error
            raise StoreError(f"cannot write to {where}: {why}; expected a folder to write to, by --results") from error

    def _refuse_link(self) -> None:
        if self.trials.is_symlink():
            raise StoreError(
                f"{printable(self.trials)} is a link, which may lead anywhere; expected a folder. To keep results "
                "elsewhere give --results"
            )

    def fresh_mark(self) -> str:
        """Return the mark of a run that trains anew and was interrupted, or ""."""
        try:
            mark = files.read_plain(self.root / FRESH, 1000).decode("ascii").strip()
        except (OSError, ValueError, StoreError):
            return ""
        return mark if MARK.fullmatch(mark) else ""

    def keep_fresh_mark(self, mark: str) -> None:
        """Keep the mark of a run that trains anew, so that the same command goes on with it; "" forgets it."""
        path = self.root / FRESH
        try:
            if mark:
                files.write_text(path, mark)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {printable(path)}: {error.strerror or error}") from error

    # Reading

    def read(self) -> Contents:
        """Return all that is there, each record read once."""
        trials: dict[str, list[Copy]] = {}
        problems: list[Problem] = []
        pool = Pool()
        for path in self._listed():
            folder = TrialFolder(path)
            try:
                record = folder.record() if _is_folder(path) else None
            except GenbenchError as error:
                problems.append(Problem(path.name.rpartition("-")[2], folder, error))
            else:
                if record is not None:
                    trials.setdefault(record.id, []).append((folder, pool.record(record)))
        for trial_id in [trial_id for trial_id, copies in trials.items() if len(copies) > 1]:
            trials[trial_id].sort(key=_preference, reverse=True)
            if differs := _contradiction(trials[trial_id]):
                problems.append(Problem(trial_id, trials.pop(trial_id)[0][0], differs))
        self._note(trials, problems)
        return Contents(trials, problems)

    def get(self, trial_id: str) -> TrialRecord | None:
        """Return the record of a trial, or None; raises what `Contents.find` raises."""
        found = self.read().find(trial_id)
        return found[1] if found else None

    def all(self) -> Iterator[tuple[TrialFolder, TrialRecord | GenbenchError]]:
        """Yield each folder that cannot be used with what is wrong with it, then every trial's with its record."""
        contents = self.read()
        yield from ((problem.folder, problem.error) for problem in contents.problems)
        yield from (copies[0] for copies in contents.trials.values())

    def folder(self, trial_id: str, name: str) -> TrialFolder:
        """Return the folder of a trial: the one that has it, or a new one under this name, or else one like it."""
        if self._places is None:
            self.read()
        assert self._places is not None  # read() noted them
        if trial_id not in self._places:
            mine = self.trials / f"{name}-{trial_id}"
            names = itertools.chain([mine], (mine.with_name(f"{mine.name}-{n}") for n in itertools.count(2)))
            self._places[trial_id] = next(path for path in names if path not in self._taken)
        return TrialFolder(self._places[trial_id])

    def _note(self, trials: dict[str, list[Copy]], problems: Sequence[Problem]) -> None:
        """Keep where each trial is; one whose record is damaged is where the name says so."""
        damaged = {problem.trial: problem.folder.path for problem in reversed(problems)}
        self._places = damaged | {trial_id: copies[0][0].path for trial_id, copies in trials.items()}
        self._taken = {folder.path for copies in trials.values() for folder, _ in copies}
        self._taken |= {problem.folder.path for problem in problems}

    def _listed(self) -> list[Path]:
        try:
            self._refuse_link()
            return sorted(self.trials.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreError(f"cannot read {printable(self.trials)}: {error.strerror or error}") from error


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder and no link, which may lead anywhere: nothing is written through one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:  # removed meanwhile
        return False
    except OSError as error:
        raise StoreError(f"cannot read {printable(path)}: {error.strerror or error}") from error


def _preference(copy: Copy) -> tuple[int, int, bool]:
    """Return how much lies whole in a folder, as far as is known unread, and whether its name is kept."""
    folder, record = copy
    named = folder.path.name.endswith(f"-{record.id}")
    try:
        return len(record.stages) - len(folder.damage(record)), -len(record.dropped), named
    except StoreError:
        return 0, 0, named


def _contradiction(copies: Sequence[Copy]) -> Contradiction | None:
    """Return what to say where a trial's folders differ in a stage that several have, or None."""
    seen: dict[str, tuple[str, TrialFolder]] = {}
    for folder, record in copies:
        for name, stage in record.stages.items():
            digest, other = seen.get(name, ("", folder))
            if not (stage.digest.startswith(digest) or digest.startswith(stage.digest)):
                return Contradiction(
                    f"trial {record.id} lies in two folders that differ in {name}: {printable(other.path)} and "
                    f"{printable(folder.path)}; remove one of them"
                )
            seen[name] = max(seen.get(name, (stage.digest, folder)), (stage.digest, folder), key=_length)  # may grow
    return None


def _length(seen: tuple[str, TrialFolder]) -> int:
    return len(seen[0])
