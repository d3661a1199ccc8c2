"""`genbench verify`: what is asked for is done again in scratch folders, held to what is stored, and marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from genbench.data.folders import cache_folder
from genbench.errors import GenbenchError, printable
from genbench.registry.plugins import BUILTIN, load_registry
from genbench.registry.resolve import Resolver
from genbench.store import verifications
from genbench.store.verifications import Check, Mark
from genbench.verification.asked import Asked, Unit
from genbench.verification.checking import Checked, Steps, steps
from genbench.verification.compared import Place
from genbench.verification.readiness import made_ready
from genbench.verification.scratch import Kept, Made, Performer, Watching, threads_of

AT_ONCE = 16
"""Trials that are copied into scratch folders at once: each takes as much disk again as it has."""


@dataclass(frozen=True)
class Verified:
    """What was found of all that was asked for, what could not be read, and what could not be marked."""

    checked: Sequence[Checked]
    unread: Sequence[str]
    notes: Sequence[str]

    @property
    def verdicts(self) -> Counter[str]:
        """Return how many scores have each verdict of `Mark.verdict`."""
        return Counter(mark.verdict for each in self.checked for mark in each.marks.values())

    @property
    def holds(self) -> bool:
        """Return whether every step of every score that was asked for came out again, and there were some."""
        return set(self.verdicts) == {"verified"} and not self.unread


def verify(
    asked: Asked, typed: Collection[str], watching: Watching, device: str | None = None, jobs: int | None = None
) -> Verified:
    """Check all that was asked for, and mark what was found in the folders of the trials.

    typed are the names that the user gave: code in a file is run only where it is among them. device is where it is
    done again, by default the kind that each trial ran on, where that is here, else the CPU. Raises Interrupted when
    asked to stop; what was marked before stays.
    """
    resolver = Resolver(load_registry(), cache_folder())
    checked: list[Checked] = []
    notes: list[str] = []
    for place, units in _by_device(asked.units, device).items():
        for start in range(0, len(units), AT_ONCE):
            several = units[start : start + AT_ONCE]
            found = _check(several, resolver, typed, place, Performer(resolver, place, jobs, watching))
            notes += filter(None, map(_mark, found))
            checked += found
    return Verified(checked, asked.unread, list(dict.fromkeys(notes)))


def _by_device(units: Sequence[Unit], device: str | None) -> dict[str, list[Unit]]:
    """Return the units by the device that they are done again on. Raises RequestError for one that is not here."""
    from genbench.trial.environment import resolve_device

    usual = str(resolve_device("auto"))
    found: dict[str, list[Unit]] = {}
    for unit in units:
        there = unit.record.environment.get("device")
        chosen = str(resolve_device(device)) if device else (usual if there == usual else "cpu")
        found.setdefault(chosen, []).append(unit)
    return found


def _check(
    units: Sequence[Unit], resolver: Resolver, typed: Collection[str], device: str, performer: Performer
) -> list[Checked]:
    """Return what was found of some units, wave by wave: each wave does again what those need that are not settled."""
    ready = {str(number): made_ready(unit, resolver, typed) for number, unit in enumerate(units)}
    found: dict[str, Checked] = {}
    under_way: dict[str, tuple[Steps, Place, Kept]] = {}
    for key, each in ready.items():
        place = _place(device, threads_of(each))
        _go_on(key, steps(each, place), place, None, found, under_way)
    while under_way:
        wave, under_way = under_way, {}
        with performer.performed({key: (ready[key], kept) for key, (_, _, kept) in wave.items()}) as made:
            for key, (checking, place, _) in wave.items():
                _go_on(key, checking, place, made[key], found, under_way)
    return [found[key] for key in ready]


def _go_on(
    key: str,
    checking: Steps,
    place: Place,
    made: Made | None,
    found: dict[str, Checked],
    under_way: dict[str, tuple[Steps, Place, Kept]],
) -> None:
    """Go on with the steps of a unit; note what they need done again, or what they found."""
    try:
        under_way[key] = checking, place, (next(checking) if made is None else checking.send(made))
    except StopIteration as end:
        found[key] = _signed(end.value, place)


def _place(device: str, threads: int) -> Place:
    from genbench.trial import environment

    return Place(environment.describe(environment.resolve_device(device), threads, metadata.version(BUILTIN)))


SIGNED = ("device", "device_name", "threads", "genbench", "torch", "python", "platform")


def _signed(found: Checked, place: Place) -> Checked:
    """Return what was found, each step with when and where it was looked at."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    where = {name: place.environment[name] for name in SIGNED}
    marks = {
        stage: Mark({step: _signed_check(check, at, where) for step, check in mark.steps.items()})
        for stage, mark in found.marks.items()
    }
    return replace(found, marks=marks)


def _signed_check(check: Check, at: str, where: Mapping[str, Any]) -> Check:
    return replace(check, words=printable(check.words, verifications.LONGEST), at=at, where=where)


def _mark(found: Checked) -> str:
    """Write what was found into the folder of a trial; return why that could not be done, or ""."""
    if not found.marks:
        return ""
    try:
        if verifications.keep(found.unit.stored.folder, found.unit.record, found.marks):
            return ""
        return f"not marked: {found.unit} changed while it was verified"
    except GenbenchError as error:
        return printable(f"not marked: {error}")
