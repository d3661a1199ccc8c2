"""Values that many records have alike, each kept once: memory grows with what differs between trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from genbench import files
from genbench.store.records import TrialRecord

SHARED = ("model", "dataset", "budget", "wanted", "environment")
"""Parts of a record that trials of other seeds have too."""


class Pool:
    """Gives the same object for equal JSON values. Nobody may change them."""

    def __init__(self, made: Callable[[Any], Any] = lambda value: value) -> None:
        self._made = made
        self._kept: dict[str, Any] = {}

    def one(self, value: Any) -> Any:
        """Return what is made of a value: the same object for every equal one."""
        key = files.canonical(value)
        if key not in self._kept:
            self._kept[key] = self._made(value)
        return self._kept[key]

    def record(self, record: TrialRecord) -> TrialRecord:
        """Return a record with the parts that other trials have too taken from the pool."""
        identity = {name: self.one(value) for name, value in record.identity.items()}
        parts = {part: self.one(getattr(record, part)) for part in SHARED}
        return dataclasses.replace(record, identity=identity, **parts)
