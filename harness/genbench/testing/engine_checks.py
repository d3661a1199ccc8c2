"""What an engine must hold: every task ends once, with the bits that one process comes to."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from genbench.api import Engine, Event, Task
from genbench.data.folders import cache_folder
from genbench.engines.inline import InlineEngine
from genbench.registry.objects import text_of
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolved, Resolver
from genbench.store import locks
from genbench.store.store import Store
from genbench.testing.fixtures import Fixtures
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.small_plugins import Brightness, RunningMean
from genbench.trial.identity import Assignment, TrialSpec

WAIT = 1.0
"""Seconds that an engine may wait for events at a time."""

PATIENCE = 300.0
"""Seconds without any event after which an engine is taken to have lost its tasks."""

LONG = 100_000
"""Epochs of a training that is cancelled: a minute or so on digits, so that one that goes on all the same does end."""

GRACE = 20.0
"""Seconds after close in which a worker that was killed is gone, also on a busy machine."""

ENDS = ("done", "lost")

Watch = Callable[[Engine, Event], None]


def check_bits_are_those_of_one_process(fixtures: Fixtures) -> None:
    """A trial has the same weights, samples and scores by the engine as in this process, bit for bit."""
    with TemporaryDirectory(prefix="genbench-") as folder:
        here, there = Path(folder, "here"), Path(folder, "there")
        _perform(InlineEngine(), _tasks(fixtures, here, seeds=2))
        ended = _perform(fixtures.subject.make(), _tasks(fixtures, there, seeds=2))
        expected, found = _stored(here), _stored(there)
        if not expected:
            raise RuntimeError("nothing was stored by the engine that the others are compared with")
        if found != expected:
            ends = "; ".join(sorted({str(dict(events[-1].data)) for events in ended.values()}))
            differing = sorted({name for name in {*expected, *found} if expected.get(name) != found.get(name)})
            fail(
                f"of two trials these files differ from those of one process: {', '.join(differing)} ({ends})",
                "the same bits",
                "Let the worker call genbench.perform(task) and nothing else that touches torch, its threads or seeds.",
            )


def check_each_task_ends_once(fixtures: Fixtures) -> None:
    """Each task that is submitted begins with one started, and ends with one done or one lost."""
    with TemporaryDirectory(prefix="genbench-") as folder:
        tasks = _tasks(fixtures, Path(folder), seeds=3)
        by_task = _perform(fixtures.subject.make(), tasks)
    submitted = {task.id for task in tasks}
    for task, events in by_task.items():
        kinds = [event.kind for event in events if event.kind != "beat"]
        if task not in submitted or kinds not in [["started", end] for end in ENDS]:
            fail(
                f"of task {task} came {', '.join(kinds) or 'nothing'}",
                "started, then one of done and lost, of submitted tasks alone",
                "Yield each event once, with the id of the task that it is about.",
            )


def check_a_cancelled_task_ends(fixtures: Fixtures) -> None:
    """A task under way that is cancelled ends, with a done that says interrupted, or a lost."""
    engine = _that_can_cancel(fixtures)

    def cancel(engine: Engine, event: Event) -> None:
        if event.kind == "started":
            engine.cancel(event.task)

    with TemporaryDirectory(prefix="genbench-") as folder:
        (events,) = _perform(engine, _tasks(fixtures, Path(folder), seeds=1, epochs=LONG), cancel).values()
    last = events[-1]
    if last.kind == "done" and last.data.get("status") != "interrupted":
        fail(
            f"a training of {LONG:,} epochs that was cancelled when it began ended as {last.data.get('status')}",
            "interrupted",
            "Let cancel reach the worker: genbench.perform(task, stop=...) asks stop between two steps.",
        )


def check_close_can_be_repeated(fixtures: Fixtures) -> None:
    """An engine that never had a task can be closed, and closed again."""
    engine: Engine = fixtures.subject.make()
    _check_slots(engine)
    engine.close()
    engine.close()


def check_close_ends_what_is_under_way(fixtures: Fixtures) -> None:
    """close stops a task under way at once: nobody is at work in its trial's folder any more."""
    engine = _that_can_cancel(fixtures)
    with TemporaryDirectory(prefix="genbench-", ignore_cleanup_errors=True) as folder:
        results = Path(folder)
        try:
            engine.listen(lambda event: None)
            engine.submit(_tasks(fixtures, results, seeds=1, epochs=LONG)[0], 1)
            while not _is_held(results):
                if any(event.kind in ENDS for event in engine.events(WAIT)):
                    raise CheckSkipped("its task had ended before it could be closed")
        finally:
            engine.close()
        closed = time.monotonic()
        while _is_held(results):
            if time.monotonic() - closed > GRACE:
                fail(
                    f"{GRACE:.0f} seconds after close a worker is still at work on its task",
                    "none: close stops everything at once",
                    "Kill the workers in close, and wait for them.",
                )
            time.sleep(0.05)


CHECKS = (
    check_close_can_be_repeated,
    check_each_task_ends_once,
    check_bits_are_those_of_one_process,
    check_a_cancelled_task_ends,
    check_close_ends_what_is_under_way,
)


def _that_can_cancel(fixtures: Fixtures) -> Engine:
    engine: Engine = fixtures.subject.make()
    if not engine.can_cancel:
        raise CheckSkipped("it cannot stop a task: can_cancel is False")
    return engine


def _check_slots(engine: Engine) -> None:
    if engine.slots < 1:
        fail(f"slots is {engine.slots}", "how many tasks it performs at once, 1 or more", "Count its workers.")


def _is_held(results: Path) -> bool:
    """Return whether a process is at work in a trial's folder."""
    trials = results / "trials"
    return trials.is_dir() and any(locks.is_held(folder) for folder in trials.iterdir())


def _tasks(fixtures: Fixtures, results: Path, seeds: int, epochs: int = 2) -> list[Task]:
    """Return tasks that train a tiny model on the dataset of the fixtures, one for each seed."""
    resolver = Resolver(load_registry(), cache_folder())
    model = resolver.resolve("model", text_of("model", RunningMean(epochs=epochs), resolver.registry))
    metric = resolver.resolve("metric", text_of("metric", Brightness, resolver.registry))
    dataset = resolver.resolve("dataset", fixtures.dataset)
    return [_task(TrialSpec(model, dataset, fixtures.data.digest, seed), metric, results) for seed in range(seeds)]


def _task(trial: TrialSpec, metric: Resolved, results: Path) -> Task:
    assignment = Assignment(trial, (metric,), str(results.resolve()))
    return Task(trial.id, assignment.to_json(), cpus=assignment.threads, results=assignment.results)


def _perform(
    engine: Engine, tasks: Sequence[Task], watch: Watch = lambda engine, event: None
) -> dict[str, list[Event]]:
    """Perform tasks as a run does, never more than the engine has slots; return the events of each task."""
    _check_slots(engine)
    by_task: dict[str, list[Event]] = defaultdict(list)
    ahead, under_way = deque(tasks), set[str]()
    heard = [time.monotonic()]
    engine.listen(lambda event: heard.append(time.monotonic()))
    try:
        while ahead or under_way:
            while ahead and len(under_way) < engine.slots:
                engine.submit(ahead[0], 1)
                under_way.add(ahead.popleft().id)
            for event in engine.events(WAIT):
                heard.append(time.monotonic())
                by_task[event.task].append(event)
                watch(engine, event)
                under_way -= {event.task} if event.kind in ENDS else set()
            if time.monotonic() - heard[-1] > PATIENCE:
                fail(f"nothing came of {len(under_way)} tasks", "a done or a lost of each", "Notice workers that died.")
        for event in engine.events(0):  # of what has ended nothing more may come
            by_task[event.task].append(event)
    finally:
        engine.close()
    return by_task


def _stored(results: Path) -> dict[str, str]:
    """Return the checksums of all stored files by trial and name."""
    return {
        f"{trial}/{name}": file["sha256"]
        for trial, copies in Store(results).read().trials.items()
        for stage in copies[0][1].stages.values()
        for name, file in stage.files.items()
    }
