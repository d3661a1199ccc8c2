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

Beat = Callable[[Mapping[str, Any]], None]


@contextlib.contextmanager
def noted(folder: Path, beat: Beat) -> Iterator[Beat]:
    """Yield a beat that also keeps in a trial's folder, as long as this lasts, how far it is."""
    noting = _Noting(folder / PROGRESS, beat)
    try:
        yield noting
    finally:
        with contextlib.suppress(OSError):
            noting.path.unlink(missing_ok=True)


class _Noting:
    def __init__(self, path: Path, beat: Beat) -> None:
        self.path = path
        self._beat = beat
        self._stage: object = None
        self._at = 0.0

    def __call__(self, told: Mapping[str, Any]) -> None:
        """Pass on what is told; note a new stage at once, else what is told about once a second."""
        now = time.monotonic()
        if told.get("stage") != self._stage or now - self._at >= EVERY:
            self._stage, self._at = told.get("stage"), now
            kept = {name: told[name] for name in ("stage", "epoch", "epochs", "log") if name in told}
            with contextlib.suppress(StoreError):  # a courtesy: who cannot note it can still work
                files.write_text(self.path, json.dumps(kept), sync=False)
        self._beat(told)


def in_words(folder: Path) -> str:
    """Return how far a held trial is, and who holds it: "epoch 3/10 loss 0.52; process 7 on a since ..."."""
    who = locks.holder(folder) or "another process"
    try:
        told = json.loads(files.read_text(folder / PROGRESS, follow=False))
        where = f"{told['stage']}"
        if told["stage"] == "fit":
            scalars = " ".join(f"{name} {value:.4g}" for name, value in told["log"].items())
            where = f"epoch {told['epoch']}/{told['epochs']} {scalars}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return printable(who)
    return printable(f"{where}; {who}")
