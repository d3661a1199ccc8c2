"""What is seen while a run works: a live line on a terminal, a plain line per trial elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from genbench.engines.schedule import Outcome, Silent, Watcher
from genbench.errors import printable
from genbench.output import numbers


class Lines:
    """A line per trial, for logs and pipes. names are the trials' names by id."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        self._console = console
        self._names = names
        self._started: dict[str, float] = {}
        self._ended = 0

    def started(self, task: str) -> None:
        """Note when a trial began."""
        self._started[task] = time.perf_counter()

    def beat(self, task: str, progress: Mapping[str, Any]) -> None:
        """Say nothing: a log holds ends only."""

    def ended(self, task: str, outcome: Outcome) -> None:
        """Print how a trial ended."""
        self._ended += 1
        took = numbers.seconds(time.perf_counter() - self._started.get(task, time.perf_counter()))
        reason = f": {outcome.reason}" if outcome.reason else ""
        line = f"{self._ended}/{len(self._names)}  {self._names[task]}  {outcome.status}{reason}  {took}"
        self._console.print(printable(line), soft_wrap=True)


class Live(Lines):
    """A bar and the trial under way, on one line that vanishes when the run is done."""

    def __init__(self, console: Console, names: Mapping[str, str], progress: Progress) -> None:
        super().__init__(console, names)
        self._progress = progress
        self._bar = progress.add_task("", total=len(names))

    def started(self, task: str) -> None:
        """Show the trial."""
        self._progress.update(self._bar, description=printable(self._names[task]))

    def beat(self, task: str, progress: Mapping[str, Any]) -> None:
        """Show the trial and its stage."""
        self._progress.update(self._bar, description=printable(f"{self._names[task]}  {stage_in_words(progress)}"))

    def ended(self, task: str, outcome: Outcome) -> None:
        """Count the trial; one that is not done is said above the bar."""
        self._progress.advance(self._bar)
        if outcome.reason:
            self._console.print(printable(f"{self._names[task]}: {outcome.status}: {outcome.reason}"))


def stage_in_words(progress: Mapping[str, Any]) -> str:
    """Return "epoch 210/300  d 0.61 g 0.88", or the stage's name."""
    if progress.get("stage") != "fit":
        return str(progress.get("stage", ""))
    scalars = " ".join(f"{name} {numbers.short(value)}" for name, value in progress.get("log", {}).items())
    return f"epoch {progress['epoch']}/{progress['epochs']}  {scalars}"


@contextmanager
def watching(console: Console, names: Mapping[str, str], quiet: bool) -> Iterator[Watcher]:
    """Yield what watches a run of these trials: a live display on a terminal, plain lines elsewhere."""
    if quiet or not names:
        yield Silent()
    elif not console.is_terminal:
        yield Lines(console, names)
    else:
        columns = (
            MofNCompleteColumn(),
            BarColumn(bar_width=16),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )
        # Trials send their own output to a file; what rich would redirect is none of its business.
        live = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        with live:
            yield Live(console, names, live)
