"""Where a run is performed: its folder of results, its device, its engine and how many workers that has."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genbench.engines import gpus
from genbench.errors import RequestError, printable
from genbench.registry import spec
from genbench.registry.resolve import Resolved, Resolver
from genbench.store.layout import KEEPS, Keep
from genbench.store.store import Store

MOST = 8
"""Workers that a run takes by default at most, however many cores there are: each holds torch in memory."""


@dataclass(frozen=True)
class RunSettings:
    """Where and how trials are performed, and whether TensorBoard is to see it: no part of what they come to."""

    results: str | os.PathLike[str]
    device: str
    threads: int
    engine: str | None
    jobs: int | None
    timeout: float | None
    checkpoint_every: float
    fresh: bool
    tensorboard: bool = False
    jobs_per_gpu: int | None = None
    fresh_scores: bool = False
    keep: Keep = "all"

    def check(self) -> None:
        """Raise RequestError for what is no length of time, StoreError where the results cannot be written."""
        if self.keep not in KEEPS:
            raise RequestError(f"--keep {printable(self.keep)}: expected {', '.join(KEEPS)}")
        Store(Path(self.results)).check_writable()
        for name, value in {"timeout": self.timeout, "checkpoint-every": self.checkpoint_every}.items():
            if value is not None and not (0 <= value < math.inf):
                raise RequestError(f"--{name} {value:g}: expected a number of seconds, as in 60")

    def on_existing_device(self) -> RunSettings:
        """Return it with a device that this machine has, where one is named; "auto" is left until it is needed."""
        return self if self.device in ("auto", "cpu") else replace(self, device=existing(self.device))


def existing(device: str) -> str:
    """Return a device that this machine has: what auto stands for, or the one named."""
    from genbench.trial.environment import resolve_device

    return str(resolve_device(device))


def place(resolver: Resolver, settings: RunSettings, device: str, trials: int, is_timed: bool) -> Resolved:
    """Return the engine of a run: the one asked for, else $GENBENCH_ENGINE, else worker processes.

    Workers are the default for one trial too: nothing that the caller's process has switched reaches it, nothing that
    it switches reaches the caller, and Ctrl-C ends it at once. is_timed says that a budget counts seconds. Raises
    RequestError where the engine cannot do what is asked for.
    """
    jobs, timeout = settings.jobs, settings.timeout
    asked = settings.engine if settings.engine is not None else os.environ.get("GENBENCH_ENGINE") or "process"
    found = resolver.resolve("engine", asked)
    known = found.values
    if jobs is not None and "jobs" not in known and jobs > 1:
        raise RequestError(f"--jobs {jobs}: engine {found.name} performs one trial after another; use --engine process")
    if timeout is not None and not found.traits["can_cancel"]:
        raise RequestError(f"--timeout {timeout:g}: engine {found.name} cannot stop a trial; use --engine process")
    typed = spec.parse(asked).options
    _check_jobs_per_gpu(settings, found.name, "jobs" in known, jobs is not None or "jobs" in typed, device)
    wanted: dict[str, Any] = {"device": device, "threads": settings.threads, "jobs": jobs}
    if jobs is None and "jobs" not in typed and trials:
        wanted["jobs"] = min(_default_jobs(settings, device, is_timed), trials)
    given = {name: value for name, value in wanted.items() if name in known and value is not None}
    return resolver.resolve("engine", asked, given)


def _check_jobs_per_gpu(settings: RunSettings, engine: str, has_jobs: bool, is_jobs_given: bool, device: str) -> None:
    """Raise RequestError where a number of trials on each GPU is asked for that would have no effect."""
    each = settings.jobs_per_gpu
    if each is None:
        return
    if each < 1:
        raise RequestError(f"--jobs-per-gpu {each}: expected a number from 1")
    if not has_jobs:
        raise RequestError(f"--jobs-per-gpu: engine {engine} performs one trial after another; use --engine process")
    if is_jobs_given:
        raise RequestError(f"--jobs-per-gpu {each}: --jobs is given too; expected one of them")
    if device == "cpu":
        raise RequestError(f"--jobs-per-gpu {each}: trials run on the CPU here; use --jobs, or --device cuda")


def _default_jobs(settings: RunSettings, device: str, is_timed: bool) -> int:
    """Return as many workers as share the visible GPUs, or as the cores have threads for."""
    if device.startswith("cuda"):
        each = settings.jobs_per_gpu or gpus.default_per_gpu(device, settings.threads, is_timed)
        return each * max(1, len(gpus.gpus_of(device)))
    return max(1, min(MOST, len(os.sched_getaffinity(0)) // settings.threads))
