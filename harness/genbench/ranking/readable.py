"""Stored records made safe to show: anyone may have written them. What they hold was checked when they were read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from genbench.errors import shown
from genbench.store.pool import Pool
from genbench.store.records import TrialRecord

SHOWN = ("model", "dataset", "wanted", "environment", "status", "reason")


class Readable:
    """Makes records safe to show, with parts that are alike kept once."""

    def __init__(self) -> None:
        self._pool = Pool(safe)

    def record(self, record: TrialRecord) -> TrialRecord:
        """Return a record whose texts are safe to show."""
        return dataclasses.replace(record, **{part: self._pool.one(getattr(record, part)) for part in SHOWN})


def readable(record: TrialRecord) -> TrialRecord:
    """Return a record whose texts are safe to show."""
    return Readable().record(record)


def safe(value: Any) -> Any:
    """Return a JSON value with every text in it safe to show."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(key): safe(item) for key, item in value.items()}
    return [safe(item) for item in value] if isinstance(value, list) else value
