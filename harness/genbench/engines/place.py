"""Which engine performs a run, and with how many workers."""

from __future__ import annotations

import os
from typing import Any

from genbench.engines.plan import Conditions
from genbench.errors import RequestError
from genbench.registry import names
from genbench.registry.resolve import Resolved, Resolver

MOST = 8
"""Workers that a run takes by default at most, however many cores there are: each holds torch in memory."""


def place(
    resolver: Resolver, engine: str | None, jobs: int | None, conditions: Conditions, trials: int, timeout: float | None
) -> Resolved:
    """Return the engine of a run: the one asked for, else $GENBENCH_ENGINE, else processes for several trials.

    Raises RequestError where the engine cannot do what is asked for.
    """
    usual = "process" if trials > 1 or timeout is not None or (jobs or 1) > 1 else "inline"
    asked = engine if engine is not None else os.environ.get("GENBENCH_ENGINE") or usual
    found = resolver.resolve("engine", asked)
    known = {**found.options, **found.settings}
    if jobs is not None and "jobs" not in known and jobs > 1:
        raise RequestError(f"--jobs {jobs}: engine {found.name} performs one trial after another; use --engine process")
    if timeout is not None and not found.traits["can_cancel"]:
        raise RequestError(f"--timeout {timeout:g}: engine {found.name} cannot stop a trial; use --engine process")
    wanted: dict[str, Any] = {"device": conditions.device, "threads": conditions.threads, "jobs": jobs}
    typed = names.parse(asked).options
    if jobs is None and "jobs" not in typed and trials:
        wanted["jobs"] = min(_default_jobs(conditions), trials)
    given = {name: value for name, value in wanted.items() if name in known and value is not None}
    return resolver.resolve("engine", asked, given)


def _default_jobs(conditions: Conditions) -> int:
    """Return a worker per visible GPU, or as many as the cores have threads for."""
    if conditions.device.startswith("cuda"):
        from genbench.engines.process import visible_gpus

        return 1 if ":" in conditions.device else max(1, len(visible_gpus()))
    return max(1, min(MOST, len(os.sched_getaffinity(0)) // conditions.threads))
