"""What a run is asked for, in one object, and the engine that performs it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from genbench import defaults
from genbench.engines import gpus
from genbench.errors import RequestError, printable
from genbench.registry import spec
from genbench.registry.resolve import Resolved, Resolver
from genbench.store.layout import KEEPS, Keep
from genbench.store.store import Store
from genbench.trial.identity import Target

Texts: TypeAlias = Sequence[str] | str | None
"""Names, one after another or with commas between them; None where nothing is asked for."""

MOST = 8
"""Workers that a run takes by default at most, however many cores there are: each holds torch in memory."""


@dataclass(frozen=True)
class RunSettings:
    """All that a run is asked for: what is compared, under what protocol, and how and where that is performed.

    `genbench.run` says what each of them means. None is what the suite says, and else the default. Images made
    elsewhere have no models, suite, seeds, budget or selection, and may have samples="all".
    """

    models: Texts = None
    metrics: Texts = None
    datasets: Texts = None
    suite: str | None = None
    seeds: int | Sequence[int] | None = None
    reference: Texts = None
    against: Texts = None
    options: Mapping[str, Mapping[str, Any]] | None = None
    # Under what protocol
    samples: int | Literal["all"] | None = None
    size: int | None = None
    weights: str | os.PathLike[str] | None = None
    budget: str | None = None
    select: str | None = None
    target: Target = "test"
    # How and where
    results: str | os.PathLike[str] = "results"
    device: str = "auto"
    threads: int = 1
    engine: str | None = None
    jobs: int | None = None
    jobs_per_gpu: int | None = None
    timeout: float | None = None
    checkpoint_every: float = 10.0
    fresh: bool = False
    fresh_scores: bool = False
    keep: Keep = "all"
    tensorboard: bool = False
    detach: bool = False

    def check(self) -> None:
        """Raise RequestError for what cannot be, StoreError where the results cannot be written."""
        if self.keep not in KEEPS:
            raise RequestError(f"--keep {printable(self.keep)}: expected {', '.join(KEEPS)}")
        Store(Path(self.results)).check_writable()
        for name, value in {"timeout": self.timeout, "checkpoint-every": self.checkpoint_every}.items():
            if value is not None and not (0 <= value < math.inf):
                raise RequestError(f"--{name} {value:g}: expected a number of seconds, as in 60")
        if self.tensorboard and find_spec("tensorboard") is None:
            raise RequestError("--tensorboard: tensorboard is not installed; run: python -m pip install tensorboard")

    def on_existing_device(self, resolver: Resolver) -> RunSettings:
        """Return them with a device that this machine has, where one is named; "auto" is left until it is needed.

        Where an engine places trials on other machines it is theirs. Raises RequestError where there is none such.
        """
        if self.device in ("auto", "cpu"):
            return self
        engine = resolver.resolve("engine", self.asked_engine)
        if not engine.traits["is_remote"]:
            return replace(self, device=existing_device(self.device))
        if self.device != "cuda":
            given = printable(self.device)
            raise RequestError(f"--device {given}: engine {engine.name} chooses the GPU; expected auto, cpu or cuda")
        return self

    @property
    def asked_engine(self) -> str:
        """Return the engine that is asked for: here, else in $GENBENCH_ENGINE, else worker processes."""
        return self.engine if self.engine is not None else os.environ.get("GENBENCH_ENGINE") or defaults.ENGINE


def existing_device(device: str) -> str:
    """Return a device that this machine has: what auto stands for, or the one named."""
    from genbench.trial.environment import resolve_device

    return str(resolve_device(device))


def make_engine(resolver: Resolver, settings: RunSettings, trials: int, is_timed: bool) -> Resolved:
    """Return the engine of a run. is_timed says that a budget counts seconds.

    Raises RequestError where the engine cannot do what is asked for.
    """
    jobs, timeout, asked = settings.jobs, settings.timeout, settings.asked_engine
    found = resolver.resolve("engine", asked)
    known = found.values
    if jobs is not None and "jobs" not in known and jobs > 1:
        raise RequestError(f"--jobs {jobs}: engine {found.name} performs one trial after another; use --engine process")
    if timeout is not None and not found.traits["can_cancel"]:
        raise RequestError(f"--timeout {timeout:g}: engine {found.name} cannot stop a trial; use --engine process")
    if settings.detach and not found.traits["can_detach"]:
        raise RequestError(f"--detach: trials of engine {found.name} end with this command; use --engine slurm")
    if settings.detach and timeout is not None:
        raise RequestError(
            f"--timeout {timeout:g}: with --detach nobody is there to keep it; bound the jobs' time instead"
        )
    typed = spec.parse(asked).options
    is_remote = found.traits["is_remote"]
    is_given = (jobs is not None or "jobs" in typed) and not is_remote  # jobs are then of all nodes together
    _check_jobs_per_gpu(settings, found.name, "jobs" in known, is_given)
    wanted: dict[str, Any] = {"device": settings.device, "threads": settings.threads, "jobs": jobs}
    if jobs is None and "jobs" not in typed and trials and not is_remote:
        wanted["jobs"] = min(_default_jobs(settings, is_timed), trials)
    given = {name: value for name, value in wanted.items() if name in known and value is not None}
    return resolver.resolve("engine", asked, given)


def _check_jobs_per_gpu(settings: RunSettings, engine: str, has_jobs: bool, is_jobs_given: bool) -> None:
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
    if settings.device == "cpu":
        raise RequestError(f"--jobs-per-gpu {each}: trials run on the CPU here; use --jobs, or --device cuda")


def _default_jobs(settings: RunSettings, is_timed: bool) -> int:
    """Return as many workers as share the visible GPUs, or as the cores have threads for."""
    if settings.device.startswith("cuda"):
        each = settings.jobs_per_gpu or gpus.default_per_gpu(settings.device, settings.threads, is_timed)
        return each * max(1, len(gpus.gpus_of(settings.device)))
    return max(1, min(MOST, len(os.sched_getaffinity(0)) // settings.threads))
