"""What a check comes to: it holds, it fails with advice, or it has nothing to look at."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from genbench.errors import printable
from genbench.registry.plugins import describe

Status = Literal["passed", "failed", "expected failure", "unexpected pass", "skipped"]

LONGEST = 1000
"""Characters of a reason that are kept."""


class CheckFailed(AssertionError):
    """A check that does not hold: what was seen, what was expected, and what the plugin's author should change."""


class CheckSkipped(Exception):
    """A check that has nothing to look at here; the message says why."""


def fail(seen: str, expected: str, change: str) -> NoReturn:
    """Raise CheckFailed with the three things an author needs: what was seen, what was expected, what to change."""
    raise CheckFailed(f"{seen}; expected {expected}. {change}")


@dataclass(frozen=True)
class Result:
    """What became of one check. reason is empty where it passed."""

    check: str
    status: Status
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Return whether the plugin is as it should be, or as it was said to be."""
        return self.status in ("passed", "expected failure", "skipped")


@dataclass(frozen=True)
class Verdict:
    """All results for one target, in the order of the checks."""

    target: str
    results: Sequence[Result]

    @property
    def ok(self) -> bool:
        """Return whether no check failed, and none passed that was expected to fail."""
        return not self.failures

    @property
    def failures(self) -> list[Result]:
        """Return the results that speak against the plugin."""
        return [result for result in self.results if not result.ok]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)


def reason_of(error: BaseException, file: Path | None) -> str:
    """Return an exception as one line, with the place in the plugin's file where it arose."""
    if isinstance(error, CheckFailed | CheckSkipped):
        return printable(error, LONGEST)
    lines = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__) if _is(f, file)]
    return printable(f"it raised {describe(error)}{f' (at {lines[-1]})' if lines else ''}", LONGEST)


def _is(frame: traceback.FrameSummary, file: Path | None) -> bool:
    return file is not None and Path(frame.filename) == file
