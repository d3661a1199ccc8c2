"""What runs that are under way mean to do, told in the results folder as long as their processes live."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genbench import files
from genbench.errors import GenbenchError
from genbench.store import locks

PLANS, PLAN = ".plans", "plan.json"


@contextlib.contextmanager
def announced(root: Path, trials: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Tell, as long as this lasts, what a run is to do: by trial's id its name, stages and mark of a fresh training."""
    folder = root / PLANS / secrets.token_hex(8)
    _forget_dead(folder.parent)
    try:
        with contextlib.ExitStack() as held:
            with contextlib.suppress(GenbenchError, OSError):  # a courtesy: a run that cannot tell can still work
                held.enter_context(locks.held(folder))
                files.write_record(folder / PLAN, {"trials": dict(trials)})
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()


def _forget_dead(plans: Path) -> None:
    """Remove the plans of processes that ended without; one that has no plan yet may be beginning."""
    for folder in plans.glob("*"):
        if (folder / PLAN).exists() and not folder.is_symlink() and not locks.is_held(folder):
            shutil.rmtree(folder, ignore_errors=True)


def planned(root: Path) -> dict[str, dict[str, Any]]:
    """Return what live runs have announced, by trial's id."""
    found: dict[str, dict[str, Any]] = {}
    for folder in sorted((root / PLANS).glob("*")):
        if not folder.is_symlink() and locks.is_held(folder):
            with contextlib.suppress(GenbenchError):
                found.update(_checked(files.read_record(folder / PLAN)))
    return found


def _checked(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the trials of a plan that are told as genbench tells them: anyone may have written it."""
    trials = record.get("trials")
    return {
        trial: told
        for trial, told in (trials.items() if isinstance(trials, dict) else ())
        if isinstance(told, dict) and isinstance(told.get("name"), str) and isinstance(told.get("stages"), list)
    }
