"""Scratch folders: a trial begun again from some of what it has stored, by the engine that performs every trial."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genbench import files
from genbench.api import Task
from genbench.engines.gpus import share
from genbench.engines.schedule import Outcome, Watcher, perform_all
from genbench.errors import GenbenchError, printable
from genbench.registry.resolve import Resolved, Resolver
from genbench.runs.settings import RunSettings, make_engine
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial.identity import Assignment
from genbench.verification.readiness import Ready

Kept = tuple[str, ...]
"""The stages that a trial begins with in its scratch folder; all that is missing is done again."""

NOTHING: Kept = ()
TRAINED: Kept = ("fit",)
DRAWN: Kept = ("fit", "samples")

AGAIN = {NOTHING: "trained, drawn and scored again", TRAINED: "drawn and scored again", DRAWN: "scored again"}

Watching = Callable[[Mapping[str, str]], contextlib.AbstractContextManager[Watcher]]
"""Opens what shows how trials go on, given their names by key."""


@dataclass(frozen=True)
class Made:
    """What a trial came to in its scratch folder; problem says why it did not come so far."""

    folder: TrialFolder
    record: TrialRecord | None
    problem: str = ""

    def has(self, stage: str) -> bool:
        """Return whether a stage was done."""
        return self.record is not None and stage in self.record.stages


class Performer:
    """Performs trials again, each in a results folder of its own, that are gone afterwards."""

    def __init__(self, resolver: Resolver, device: str, jobs: int | None, watching: Watching) -> None:
        self._resolver = resolver
        self._device = device
        self._jobs = jobs
        self._watching = watching

    @contextlib.contextmanager
    def performed(self, wanted: Mapping[str, tuple[Ready, Kept]]) -> Iterator[dict[str, Made]]:
        """Yield what trials came to, each begun again with some of its stages, by a key of the caller's.

        What cannot be begun at all has that as its problem. Raises Interrupted when asked to stop.
        """
        engine = self._engine([ready for ready, _ in wanted.values()])
        part = share(self._device, engine.settings.get("jobs") or 1)
        with tempfile.TemporaryDirectory(prefix="genbench-verify-") as scratch:
            roots = {key: Path(scratch, str(number)) for number, key in enumerate(wanted)}
            tasks, problems = [], {}
            for key, (ready, kept) in wanted.items():
                try:
                    _begin(ready, kept, roots[key])
                    tasks.append(self._task(key, ready, kept, roots[key], part))
                except (GenbenchError, OSError) as error:
                    problems[key] = printable(error)
            names = {key: f"{ready.unit}: {AGAIN[kept]}" for key, (ready, kept) in wanted.items()}
            outcomes = self._perform(engine, tasks, names)
            yield {
                key: _made(ready, roots[key], outcomes.get(key), problems.get(key, ""))
                for key, (ready, _) in wanted.items()
            }

    def _engine(self, units: Sequence[Ready]) -> Resolved:
        threads = max(threads_of(ready) for ready in units)
        settings = RunSettings(device=self._device, jobs=self._jobs, threads=threads)
        return make_engine(self._resolver, settings, len(units), is_timed=False)

    def _perform(self, engine: Resolved, tasks: Sequence[Task], names: Mapping[str, str]) -> dict[str, Outcome]:
        """Return how each task ended; what keeps all from being performed is how those ended."""
        if not tasks:
            return {}
        try:
            with self._watching({task.id: names[task.id] for task in tasks}) as watcher:
                return perform_all(engine.instantiate(), tasks, watcher)
        except GenbenchError as error:
            return {task.id: Outcome("error", printable(error)) for task in tasks}

    def _task(self, key: str, ready: Ready, kept: Kept, root: Path, part: float) -> Task:
        assert ready.trial is not None  # what cannot be done again is not asked for
        assignment = Assignment(
            trial=ready.trial,
            metrics=tuple(protocol.metric for protocol in ready.protocols.values()),
            results=str(root),
            target="valid" if ready.unit.target == "valid" else "test",
            resized=ready.unit.resized,
            device=self._device,
            threads=threads_of(ready),
            only_scores=kept == DRAWN,
        )
        return Task(key, assignment.to_json(), cpus=assignment.threads, gpus=part)


def threads_of(ready: Ready) -> int:
    """Return with how many threads a trial ran: another number gives other bits."""
    threads = ready.record.environment.get("threads")
    return threads if isinstance(threads, int) and 1 <= threads <= 1024 else 1


def _begin(ready: Ready, kept: Kept, root: Path) -> None:
    """Copy some stages of a trial into a results folder of its own. Raises StoreError for what is not as committed."""
    stored, record = ready.unit.stored.folder, ready.record
    stages = {name: record.stages[name] for name in kept if name in record.stages}
    if not stages:
        return
    folder = Store(root).folder(record.id, "trial")
    dropped = tuple(name for name in record.dropped if any(name in stage.files for stage in stages.values()))
    for stage, name in ((stage, name) for stage, found in stages.items() for name in found.files):
        if name not in dropped:
            with files.replacing(folder.path / name, sync=False) as aside:
                aside.write_bytes(stored.content(record, stage, name))
    folder.write(dataclasses.replace(record, stages=stages, wanted={}, dropped=dropped, status="interrupted"))


def _made(ready: Ready, root: Path, outcome: Outcome | None, problem: str) -> Made:
    """Return what lies in a scratch folder."""
    record = folder = None
    with contextlib.suppress(GenbenchError):
        if found := Store(root).read().find(ready.record.id):
            folder, record = found
    if outcome is not None and outcome.status != "done":
        problem = f"{outcome.status}: {outcome.reason}"
    return Made(folder or TrialFolder(root), record, printable(problem, 500))
