"""How far a trial under way is, kept in its folder for whoever looks from another shell or machine."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genbench import files
from genbench.errors import StoreError, printable
from genbench.store import locks

PROGRESS = ".progress"
EVERY = 1.0
"""Seconds between two notes of one stage."""

ProgressCallback = Callable[[Mapping[str, Any]], None]


@contextlib.contextmanager
def noted(folder: Path, report_progress: ProgressCallback) -> Iterator[ProgressCallback]:
    """Yield a callback that passes progress on and, as long as this lasts, keeps it in the folder of the trial."""
    noting = _Noting(folder / PROGRESS, report_progress)
    try:
        yield noting
    finally:
        with contextlib.suppress(OSError):
            noting.path.unlink(missing_ok=True)


class _Noting:
    def __init__(self, path: Path, report_progress: ProgressCallback) -> None:
        self.path = path
        self._report_progress = report_progress
        self._stage: object = None
        self._at = 0.0

    def __call__(self, progress: Mapping[str, Any]) -> None:
        """Pass progress on; write a new stage to the file at once, and other progress about once a second."""
        now = time.monotonic()
        if progress.get("stage") != self._stage or now - self._at >= EVERY:
            self._stage, self._at = progress.get("stage"), now
            kept = {name: progress[name] for name in ("stage", "epoch", "epochs", "log") if name in progress}
            with contextlib.suppress(StoreError):  # a courtesy: who cannot note it can still work
                files.write_text(self.path, json.dumps(kept), sync=False)
        self._report_progress(progress)


def in_words(folder: Path) -> str:
    """Return how far a held trial is, and who holds it: "epoch 3/10 loss 0.52; process 7 on a since ..."."""
    who = locks.holder(folder) or "another process"
    try:
        progress = json.loads(files.read_text(folder / PROGRESS, follow=False))
        where = f"{progress['stage']}"
        if progress["stage"] == "fit":
            scalars = " ".join(f"{name} {value:.4g}" for name, value in progress["log"].items())
            where = f"epoch {progress['epoch']}/{progress['epochs']} {scalars}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return printable(who)
    return printable(f"{where}; {who}")
