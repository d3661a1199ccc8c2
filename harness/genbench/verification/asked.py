"""What a request asks to verify: stored trials, a unit for each split that they were scored against."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genbench.data.resizing import in_words
from genbench.errors import GenbenchError, RequestError, printable
from genbench.figures import subjects
from genbench.figures.subjects import Found, Stored
from genbench.registry import file_options, spec
from genbench.store.records import TrialRecord


@dataclass(frozen=True)
class Unit:
    """A trial and those of its scores that are verified together: one split scored against, one way of resizing.

    record is the trial's as it is written, stored safe to show; scores are what was asked for, by stage; retrains says
    whether it is trained again.
    """

    stored: Stored
    record: TrialRecord
    target: str
    resized: str
    scores: Mapping[str, Mapping[str, Any]]
    retrains: bool = False

    def __str__(self) -> str:
        return printable(str(self.stored))


@dataclass(frozen=True)
class Asked:
    """What is to be verified, in which results folder, and what of it could not be read."""

    root: Path
    units: Sequence[Unit]
    unread: Sequence[str]


def find(
    requested: str, results: Path, metrics: Sequence[str], datasets: Sequence[str], seed: int | None, retrain: bool
) -> Asked:
    """Return what a text asks for: a row by its model's label, a trial by its id or folder, a results folder, "" all.

    Of each row one seed is trained again, if any is: the one given, else the least. Raises RequestError where nothing
    is meant.
    """
    found = subjects.find(requested, results, datasets)
    again = _to_train_again(found, seed) if retrain else frozenset()
    units: list[Unit] = []
    unread = list(found.damaged)
    for stored in (*(trial for subject in found.subjects for trial in subject.trials), *found.untrained):
        try:
            units += _units(stored, metrics, stored.record.id in again)
        except GenbenchError as error:
            unread.append(printable(error))
    if not units and not unread:
        there = ", ".join(sorted({_label(r["metric"]) for s in found.subjects for r in s.first.record.wanted.values()}))
        raise RequestError(f"no score by {printable(', '.join(metrics))!r}; expected some of: {printable(there)}")
    return Asked(found.root, units, unread)


def _to_train_again(found: Found, seed: int | None) -> Collection[str]:
    """Return the ids of the trials to train again: of each row one seed."""
    chosen = [
        next((trial for trial in subject.trials if seed in (None, trial.record.seed)), None)
        for subject in found.subjects
    ]
    if not any(chosen):
        there = sorted({trial.record.seed for subject in found.subjects for trial in subject.trials})
        raise RequestError(f"--seed {seed}: no trial has it; expected one of: {', '.join(map(str, there))}")
    return {trial.record.id for trial in chosen if trial}


def _units(stored: Stored, metrics: Sequence[str], retrains: bool) -> Iterator[Unit]:
    """Yield the units of a trial. Raises GenbenchError where its folder cannot be read any more."""
    record = stored.folder.record()
    if record is None:
        return
    groups: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for stage, request in sorted(record.wanted.items()):
        if not metrics or any(_is_called(request["metric"], name) for name in metrics):
            key = (str(request.get("target", "test")), _resizing(record.model, request))
            groups.setdefault(key, {})[stage] = request
    for number, ((target, resized), scores) in enumerate(groups.items()):
        yield Unit(stored, record, target, resized, scores, retrains and number == 0)


def _resizing(model: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Return how images made elsewhere were resized for a protocol, as it says itself, or ""."""
    size = model.get("options", {}).get("size")
    words = in_words(size) if isinstance(size, int) else ""
    return words if words and words in str(request["words"]) else ""


def _is_called(metric: Mapping[str, Any], name: str) -> bool:
    label = _label(metric)
    return name in (label, metric["label"], spec.plain(label))


def _label(metric: Mapping[str, Any]) -> str:
    return file_options.shown(metric)
