"""What fit is handed: batches in a seeded order, noise, a log of epoch means, and the budget; stopped and taken up."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from genbench.api import Split
from genbench.errors import Diverged, Interrupted
from genbench.trial import environment, seeding
from genbench.trial.checkpoints import Keeper, NoCheckpoints
from genbench.trial.identity import Budget
from genbench.trial.selection import KeepLast, Selector

ProgressCallback = Callable[[Mapping[str, Any]], None]
Stop = Callable[[], bool]


class TrainingRun:
    """The harness's side of `genbench.Run`, for one call of fit.

    keeper keeps the state between steps, and says where each loop goes on after an interruption; stop is asked after
    every step whether to save and leave; selector is shown the state after epochs. lines is the log so far; peak the
    greatest peak memory of earlier attempts.
    """

    def __init__(
        self,
        seed: int,
        device: torch.device,
        budget: Budget | None = None,
        report_progress: ProgressCallback = lambda progress: None,
        keeper: Keeper | None = None,
        stop: Stop = lambda: False,
        selector: Selector | None = None,
    ) -> None:
        self.device = device
        self.generator = seeding.stream(seed, "noise", device=device)
        self.epoch = 0
        self.step = 0
        self.lines: list[str] = []
        self.peak = 0.0
        self._seed = seed
        self._draws = seeding.stream(seed, "draw", device=device)
        self._budget = budget or Budget()
        self._report_progress = report_progress
        self._keeper = keeper or NoCheckpoints()
        self._stop = stop
        self._selector = selector or KeepLast()
        self._loop = -1
        self._inside = False
        self._epochs_done = 0  # of the present loop
        self._batches_done = 0  # of the present epoch
        self._seconds_before = 0.0
        self._started = time.perf_counter()
        self._last_report = 0.0
        self._lines_reported = 0
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    @property
    def seconds(self) -> float:
        """Return how long training has taken, interrupted attempts included up to where they were kept."""
        return self._seconds_before + time.perf_counter() - self._started

    def batches(self, data: Any, size: int, epochs: int, *, select: bool = False) -> Iterator[Any]:
        """Yield batches in a new order each epoch; see `genbench.Run.batches`."""
        if self._inside:
            raise RuntimeError("run.batches: loops must not be nested; draw the inner batches with run.draw")
        self._inside = True
        self._begin_loop()
        try:
            is_whole = yield from self._steps(data, size, epochs, select)
            if select:
                self._selector.settle(self._loop)
            if is_whole and self._keeper.due(loop_over=True):
                self._keep()
        finally:
            self._inside = False

    def _steps(self, data: Any, size: int, epochs: int, select: bool) -> Generator[Any, None, bool]:
        """Yield the batches of a loop; return whether it came to its end before the budget did."""
        while self._epochs_done < epochs:
            self.epoch = self._epochs_done + 1
            batches = torch.split(self._order(len(data)), size)
            for rows in batches[self._batches_done :]:
                if self._spent():
                    self._consider(select, is_last=True)
                    return False
                self.step += 1
                yield _take(data, rows)
                self._batches_done += 1
                self._between_steps()
            self._consider(select, is_last=self.epoch == epochs)
            self.end_epoch(epochs)
            self._epochs_done, self._batches_done = self.epoch, 0
        return True

    def _consider(self, select: bool, is_last: bool) -> None:
        score = self._selector.consider(self._loop, self.epoch, is_last) if select else None
        if score is not None and math.isfinite(score):
            self.log(valid_parzen=score)

    def _begin_loop(self) -> None:
        """Begin the next loop, where it was kept last, or at its beginning."""
        self._loop += 1
        self._epochs_done = self._batches_done = 0
        kept = self._keeper.take_up(self._loop, {"generator": self.generator, "draws": self._draws})
        if kept is None:
            return
        self._selector.take_up(kept["selection"])
        self.epoch, self.step, self.lines, self.peak = kept["epoch"], kept["step"], kept["lines"], kept["peak"]
        self._epochs_done, self._batches_done = kept["epochs_done"], kept["batches_done"]
        self._sums, self._counts = kept["sums"], kept["counts"]
        self._seconds_before, self._started = kept["seconds"], time.perf_counter()

    def _between_steps(self) -> None:
        """Keep the state where it is time to; leave where that is asked for. Raises Interrupted then."""
        stopping = self._stop()
        if stopping or self._keeper.due():
            self._keep()
        if stopping:
            raise Interrupted("stopped in training, after saving")

    def _keep(self) -> None:
        run = {
            "generator": self.generator,
            "draws": self._draws,
            "epoch": self.epoch,
            "step": self.step,
            "lines": self.lines,
            "peak": max(self.peak, environment.peak_memory_mib(self.device) or 0.0),
            "epochs_done": self._epochs_done,
            "batches_done": self._batches_done,
            "sums": self._sums,
            "counts": self._counts,
            "seconds": self.seconds,
            "selection": self._selector.kept(),
        }
        self._keeper.keep(self._loop, self.step, run)

    def draw(self, data: Any, n: int) -> Any:
        """Return n examples drawn with replacement, from a stream of their own."""
        return _take(data, torch.randint(len(data), (n,), generator=self._draws, device=self.device))

    def log(self, **scalars: float | Tensor) -> None:
        """Add to the means of this epoch. Tensors stay on the device until it ends.

        Raises ValueError for a value that is not a single number, such as a picture.
        """
        for name, value in scalars.items():
            self._sums[name] = self._sums.get(name, 0.0) + _number(name, value)
            self._counts[name] = self._counts.get(name, 0) + 1

    def _order(self, n: int) -> Tensor:
        # Each epoch's order is a stream of its own, so that training can be taken up again at any epoch.
        order = seeding.stream(self._seed, "order", self._loop, self.epoch, device=self.device)
        return torch.randperm(n, generator=order, device=self.device)

    def _spent(self) -> bool:
        steps, seconds = self._budget.steps, self._budget.seconds
        late = seconds is not None and self.seconds >= seconds
        return late or (steps is not None and self.step >= steps)

    def end_epoch(self, epochs: int = 0) -> None:
        """Write the means logged since the last epoch's end. Raises Diverged where one is not finite."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        if means:
            line = {"loop": self._loop, "epoch": self.epoch, "step": self.step, **means}
            self.lines.append(json.dumps(line))  # NaN stays readable here: a log is for people
        wrong = [name for name, mean in means.items() if not math.isfinite(mean)]
        if wrong or time.perf_counter() - self._last_report > 0.1 or self.epoch == epochs:
            self._report(epochs, means)
        for name in wrong:
            raise Diverged(f"{name} is {means[name]} in epoch {self.epoch} of loop {self._loop + 1}")

    def _report(self, epochs: int, means: Mapping[str, float]) -> None:
        """Report progress and the lines since the last report: all of them after a checkpoint was taken up."""
        self._last_report = time.perf_counter()
        lines, self._lines_reported = self.lines[self._lines_reported :], len(self.lines)
        place = {"loop": self._loop, "epoch": self.epoch, "epochs": epochs}
        self._report_progress({"stage": "fit", **place, "log": means, "lines": lines})


def _number(name: str, value: Any) -> Tensor | float:
    """Return a logged value; a tensor must hold one value, and stays on its device."""
    size = value.numel() if isinstance(value, Tensor) else 1
    try:
        if size != 1:
            raise TypeError
        return value.detach().double().reshape(()) if isinstance(value, Tensor) else float(value)
    except (TypeError, ValueError) as error:
        what = f"of {size:,} values" if size != 1 else f"of type {type(value).__name__}"
        raise ValueError(
            f"run.log({name}=...) is given something {what}; expected a number, or a tensor of one, as a loss is. Log "
            "its mean; pictures are drawn from the stored samples: genbench figures"
        ) from error


def _take(data: Any, rows: Tensor) -> Any:
    if not isinstance(data, Split):
        return data[rows]
    return data.images[rows], None if data.labels is None else data.labels[rows]
