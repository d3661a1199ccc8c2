"""What fit is handed: batches in a seeded order, noise, a log of epoch means, and the budget."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import torch
from torch import Tensor

from genbench.api import Split
from genbench.errors import Diverged
from genbench.trial import seeding
from genbench.trial.spec import Budget

Beat = Callable[[Mapping[str, Any]], None]


class TrainingRun:
    """The harness's side of `genbench.Run`, for one call of fit."""

    def __init__(
        self,
        seed: int,
        device: torch.device,
        log: TextIO,
        budget: Budget | None = None,
        beat: Beat = lambda progress: None,
    ) -> None:
        self.device = device
        self.generator = seeding.stream(seed, "noise", device=device)
        self.epoch = 0
        self.step = 0
        self._seed = seed
        self._draws = seeding.stream(seed, "draw", device=device)
        self._budget = budget or Budget()
        self._log = log
        self._beat = beat
        self._loop = -1
        self._inside = False
        self._started = time.perf_counter()
        self._last_beat = 0.0
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def batches(self, data: Any, size: int, epochs: int) -> Iterator[Any]:
        """Yield batches in a new order each epoch; see `genbench.Run.batches`."""
        if self._inside:
            raise RuntimeError("run.batches: loops must not be nested; draw the inner batches with run.draw")
        self._inside = True
        self._loop += 1
        try:
            for self.epoch in range(1, epochs + 1):
                for rows in torch.split(self._order(len(data)), size):
                    if self._spent():
                        return
                    self.step += 1
                    yield _take(data, rows)
                self.end_epoch(epochs)
        finally:
            self._inside = False

    def draw(self, data: Any, n: int) -> Any:
        """Return n examples drawn with replacement, from a stream of their own."""
        return _take(data, torch.randint(len(data), (n,), generator=self._draws, device=self.device))

    def log(self, **scalars: float | Tensor) -> None:
        """Add to the means of this epoch. Tensors stay on the device until it ends."""
        for name, value in scalars.items():
            term = value.detach().double() if isinstance(value, Tensor) else float(value)
            self._sums[name] = self._sums.get(name, 0.0) + term
            self._counts[name] = self._counts.get(name, 0) + 1

    def _order(self, n: int) -> Tensor:
        # Each epoch's order is a stream of its own, so that training can be taken up again at any epoch.
        order = seeding.stream(self._seed, "order", self._loop, self.epoch, device=self.device)
        return torch.randperm(n, generator=order, device=self.device)

    def _spent(self) -> bool:
        steps, seconds = self._budget.steps, self._budget.seconds
        late = seconds is not None and time.perf_counter() - self._started >= seconds
        return late or (steps is not None and self.step >= steps)

    def end_epoch(self, epochs: int = 0) -> None:
        """Write the means logged since the last epoch's end. Raises Diverged where one is not finite."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        if means:
            line = {"loop": self._loop, "epoch": self.epoch, "step": self.step, **means}
            self._log.write(json.dumps(line) + "\n")  # NaN stays readable here: a log is for people
        for name, mean in means.items():
            if not math.isfinite(mean):
                raise Diverged(f"{name} is {mean} in epoch {self.epoch} of loop {self._loop + 1}")
        if time.perf_counter() - self._last_beat > 0.1 or self.epoch == epochs:
            self._last_beat = time.perf_counter()
            self._beat({"stage": "fit", "loop": self._loop, "epoch": self.epoch, "epochs": epochs, "log": means})


def _take(data: Any, rows: Tensor) -> Any:
    if not isinstance(data, Split):
        return data[rows]
    return data.images[rows], None if data.labels is None else data.labels[rows]
