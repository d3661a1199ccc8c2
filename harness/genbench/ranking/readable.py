"""Stored records checked before tables are made of them, and made safe to show: anyone may have written them."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from typing import Any

from genbench.errors import StoreError, printable, shown
from genbench.store.records import Stage, TrialRecord

STAGE = re.compile(r"[a-z0-9][a-z0-9-]*")
"""The names of stages; they are parts of paths, so that a dot or slash in one could lead out of the trial's folder."""

MOST = 10**18

TRIAL: Mapping[str, type] = {
    "id": str,
    "seed": int,
    "status": str,
    "reason": str,
    "identity.model": dict,
    "model.label": str,
    "model.version": int,
    "model.distribution": str,
    "model.distribution_version": str,
    "model.target": str,
    "model.source": str,
    "model.traits.role": str,
    "model.traits.samples_are": str,
    "dataset.label": str,
    "dataset.digest": str,
    "environment": dict,
    "wanted": dict,
}
WANTED: Mapping[str, type] = {
    "id": str,
    "words": str,
    "problem": str,
    "skipped": str,
    "metric.label": str,
    "metric.name": str,
    "metric.options": dict,
    "metric.traits.title": str,
    "metric.traits.unit": str,
    "metric.traits.higher_is_better": bool,
    "metric.traits.caption_extras": list,
}
STAGE_FIELDS: Mapping[str, type] = {"files": dict, "seconds": float, "details": dict}
SCORE: Mapping[str, type] = {"value": float, "extras": dict, "samples": int}

_WORDS = {str: "a text", int: f"a whole number from 0 to {MOST - 1}", float: "a finite number", bool: "true or false"}
_WORDS |= {dict: "an object", list: "a list"}


def readable(record: TrialRecord, where: str) -> TrialRecord:
    """Return a record whose texts are safe to show. Raises StoreError where it lacks what a table needs."""
    _check(vars(record), TRIAL, where)
    for name, wanted in record.wanted.items():
        _check_stage_name(name, where)
        _check(wanted, WANTED, where, f"wanted.{name}.")
    for name, stage in record.stages.items():
        _check_stage_name(name, where)
        _check_stage(stage, where, f"stages.{name}.")
    for name, value in record.environment.items():
        if value is not None and not isinstance(value, str | int | float):
            _refuse(where, f"environment.{name}", value, "a text or a number")
    parts = ("model", "dataset", "wanted", "environment", "status", "reason")
    return dataclasses.replace(record, **{part: _safe(getattr(record, part)) for part in parts})


def readable_score(content: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return the content of a score's file, safe to show. Raises StoreError where it lacks what a table needs."""
    _check(content, SCORE, where)
    for name, value in (("stderr", content.get("stderr")), *content["extras"].items()):
        if not (_is(value, float) or (value is None and name == "stderr")):
            _refuse(where, name, value, _WORDS[float])
    notes = content.get("notes", [])
    if not (isinstance(notes, list) and all(isinstance(note, str) for note in notes)):
        _refuse(where, "notes", notes, "a list of texts")
    safe: Mapping[str, Any] = _safe(content)
    return {"stderr": None, "notes": [], **safe}


def _check_stage(stage: Stage, where: str, inside: str) -> None:
    _check(vars(stage), STAGE_FIELDS, where, inside)
    for name in ("parameters", "peak_memory_mib", "steps"):
        value = stage.details.get(name)
        if value is not None and not _is(value, float):
            _refuse(where, f"{inside}details.{name}", value, _WORDS[float])


def _check_stage_name(name: str, where: str) -> None:
    if not STAGE.fullmatch(name):
        raise StoreError(f"{where} is not as genbench writes it: stage {printable(name)!r}; expected a-z, 0-9 and -")


def _check(content: object, shape: Mapping[str, type], where: str, inside: str = "") -> None:
    """Raise StoreError unless everything that a shape names by its path (model.label) is there and of its type."""
    for path, kind in shape.items():
        value = content
        for part in path.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise StoreError(f"{where} is not as genbench writes it: it has no {printable(inside + path)}")
            value = value[part]
        if not _is(value, kind):
            _refuse(where, inside + path, value, _WORDS[kind])


def _is(value: object, kind: type) -> bool:
    """Return whether a value is of a kind: true is no number, and numbers are within bounds."""
    if kind in (int, float):
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if kind is int:
            return plain and isinstance(value, int) and 0 <= value < MOST
        return plain and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
    return isinstance(value, kind)


def _refuse(where: str, path: str, value: object, expected: str) -> None:
    raise StoreError(
        f"{where} is not as genbench writes it: {printable(path)} is {printable(repr(value), 60)}; expected {expected}"
    )


def _safe(value: Any) -> Any:
    """Return a JSON value with every text in it safe to show."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(key): _safe(item) for key, item in value.items()}
    return [_safe(item) for item in value] if isinstance(value, list) else value
