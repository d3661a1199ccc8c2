"""What is seen while a run works: a live line on a terminal, a plain line per trial elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.text import Text

from genbench.engines.schedule import Outcome, Watcher
from genbench.errors import printable
from genbench.output import numbers

STOPPING = "Ctrl-C again stops at once. Saving what is under way."


class Lines:
    """A line per trial, for logs and pipes. names are the trials' names by id."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        self._console = console
        self._names = names
        self._started: dict[str, float] = {}
        self._waits: dict[str, str] = {}
        self._ended = 0

    def started(self, task: str) -> None:
        """Note when a trial began."""
        self._started[task] = time.perf_counter()

    def progressed(self, task: str, progress: Mapping[str, Any]) -> None:
        """Say what is waited for, once: else a log holds ends only."""
        stage = str(progress.get("stage", ""))
        if stage.startswith("waits") and stage != self._waits.get(task):
            self._console.print(printable(f"{self._names[task]}  {stage}", 600), soft_wrap=True)
            self._waits[task] = stage

    def stopping(self) -> None:
        """Say what happens now, and what else can be done."""
        self._console.print(STOPPING, soft_wrap=True)

    def ended(self, task: str, outcome: Outcome) -> None:
        """Print how a trial ended."""
        self._ended += 1
        took = numbers.seconds(time.perf_counter() - self._started.get(task, time.perf_counter()))
        reason = f": {outcome.reason}" if outcome.reason else ""
        line = f"{self._ended}/{len(self._names)}  {self._names[task]}  {outcome.status}{reason}  {took}"
        self._console.print(printable(line), soft_wrap=True)


class Waits(Lines):
    """What is waited for, and nothing else."""

    def started(self, task: str) -> None:
        """Say nothing."""

    def stopping(self) -> None:
        """Say nothing."""

    def ended(self, task: str, outcome: Outcome) -> None:
        """Say nothing."""


class Display(Lines):
    """A bar, and a line for each trial under way, which vanish when the run is done."""

    def __init__(self, console: Console, names: Mapping[str, str]) -> None:
        super().__init__(console, names)
        self._stages: dict[str, str] = {}
        self._hint = ""
        self._bar = Progress(MofNCompleteColumn(), BarColumn(bar_width=16), TimeElapsedColumn(), console=console)
        self._all = self._bar.add_task("", total=len(names))

    def __rich__(self) -> Group:
        """Return what is shown now."""
        trials = [f"  {self._names[task]}  {stage}" for task, stage in list(self._stages.items())]
        lines = [Text(printable(line), no_wrap=True, overflow="ellipsis") for line in [*trials, self._hint] if line]
        return Group(self._bar, *lines)

    def started(self, task: str) -> None:
        """Show the trial."""
        super().started(task)
        self._stages[task] = ""

    def progressed(self, task: str, progress: Mapping[str, Any]) -> None:
        """Show the trial's stage."""
        self._stages[task] = stage_in_words(progress)

    def ended(self, task: str, outcome: Outcome) -> None:
        """Count the trial; one that is not done is said above the bar."""
        self._bar.advance(self._all)
        self._stages.pop(task, None)
        if outcome.reason:
            self._console.print(printable(f"{self._names[task]}: {outcome.status}: {outcome.reason}"), soft_wrap=True)

    def stopping(self) -> None:
        """Show what happens now, and what else can be done."""
        self._hint = STOPPING


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
        yield Waits(console, names)
    elif not console.is_terminal:
        yield Lines(console, names)
    else:
        display = Display(console, names)
        # Trials send their own output to a file; what rich would redirect is none of its business.
        with Live(display, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
            yield display
