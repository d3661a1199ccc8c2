"""Every stored score as a row: one per trial and protocol, the failed and refused ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from genbench import files
from genbench.errors import DamagedError, GenbenchError, StoreError, printable
from genbench.ranking.readable import Readable, safe
from genbench.ranking.recorded import RecordedMetric, RecordedModel
from genbench.store import locks, progress_file
from genbench.store.layout import SHARD
from genbench.store.records import TrialRecord
from genbench.store.store import Copy, Store
from genbench.store.trial_folder import TrialFolder
from genbench.trial.identity import LAST

Kind = Literal["ours", "reference", "published"]


@dataclass(frozen=True)
class ScoreRow:
    """A trial's score under a protocol; value is None unless status is done.

    against is how many real images it was computed against, 0 where that is
    not known; stderr is the metric's own error of the value; per_example is the file
    with one value per test image, if there is one; weights distinguishes those that a feature extractor was trained to
    where it was used; code are the digests of the code that scored it, of metric and extractor, where they are known.
    """

    trial: TrialRecord
    protocol_id: str
    protocol: str
    metric: RecordedMetric
    status: str
    reason: str
    value: float | None = None
    stderr: float | None = None
    extras: Mapping[str, float] | None = None
    samples: int = 0
    against: int = 0
    per_example: Path | None = None
    weights: str = ""
    notes: tuple[str, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def model(self) -> RecordedModel:
        """Return the model that was trained."""
        return RecordedModel.read(self.trial.model)

    @property
    def target(self) -> str:
        """Return the split that it was scored against: test or valid."""
        asked = self.trial.wanted.values()
        return "valid" if any(a["id"] == self.protocol_id and a.get("target") == "valid" for a in asked) else "test"

    @property
    def dataset(self) -> str:
        """Return the dataset's label."""
        return str(self.trial.dataset["label"])

    @property
    def selection(self) -> str:
        """Return the rule that its state was selected by."""
        return printable(self.trial.identity.get("select", LAST))

    @property
    def label(self) -> str:
        """Return what the model is called: as it can be typed, files by their names, and how its state was selected."""
        label = self.model.shown
        return label if self.selection == LAST else f"{label} ({self.selection})"

    @property
    def kind(self) -> Kind:
        """Return whether the row is ranked (ours) or a reference."""
        return self.model.kind


@dataclass(frozen=True)
class Collected:
    """The rows of stores, what is wrong with the folders that could not be read, and what lies there several times."""

    rows: list[ScoreRow]
    damaged: list[str]
    notes: list[str]


def collect(*stores: Store) -> Collected:
    """Return the rows of every readable trial, in the order of its folders' names: that of the stores changes nothing.

    A trial that lies in several folders counts once, with the scores of all of them. Raises StoreError where these
    differ.
    """
    contents = [store.read() for store in stores]
    damaged = sorted(printable(problem.error) for each in contents for problem in each.problems)
    copies: dict[str, list[Copy]] = {}
    for trial_id, found in (pair for each in contents for pair in each.trials.items()):
        copies.setdefault(trial_id, []).extend(found)
    rows: list[ScoreRow] = []
    readable = Readable()
    for several in sorted(copies.values(), key=_place) if len(stores) > 1 else copies.values():
        try:
            rows += _once([_readable_rows(*copy, readable, damaged) for copy in several])
        except StoreError as error:
            if len(stores) > 1:
                raise
            damaged.append(printable(error))
    return Collected(rows, damaged, _notes([several for several in copies.values() if len(several) > 1]))


def _place(copies: Sequence[Copy]) -> tuple[str, str]:
    """Return what a trial is sorted by."""
    return min(folder.path.name for folder, _ in copies), copies[0][1].id


def _readable_rows(folder: TrialFolder, record: TrialRecord, readable: Readable, damaged: list[str]) -> list[ScoreRow]:
    """Return the rows of a trial's folder; none where it cannot be read, and damaged then says why."""
    try:
        rows = list(rows_of(folder, readable.record(record)))
        damaged += [row.reason for row in rows if row.status == "damaged"]
        return rows
    except GenbenchError as error:
        damaged.append(printable(error))
        return []


def _notes(several: Sequence[Sequence[Copy]]) -> list[str]:
    """Return a line about the trials that lie in several folders."""
    if not several:
        return []
    places = " and ".join(sorted(str(folder.path) for folder, _ in several[0]))
    if len(several) == 1:
        return [printable(f"a trial lies in several folders, and counts once: {places}", 600)]
    return [printable(f"{len(several)} trials lie in several folders, and each counts once: {places}, and so on", 600)]


BEST_FIRST = ("done", "skipped", "failed", "diverged", "out-of-memory", "timeout", "interrupted", "running", "damaged")
"""Of a trial's folders that say different things of a score, the one that says the earlier of these counts."""


def _once(several: Sequence[Sequence[ScoreRow]]) -> list[ScoreRow]:
    """Return each score of a trial once, from the rows of its folders. Raises StoreError where values differ."""
    if len(several) == 1:
        return list(several[0])
    best: dict[str, ScoreRow] = {}
    for row in (row for rows in several for row in rows):
        kept = best.setdefault(row.protocol_id, row)
        if kept.value is not None and row.value is not None and kept.value != row.value:
            raise StoreError(
                f"trial {row.trial.id} has different scores for {row.metric.label} in the folders given: "
                f"{kept.value} and {row.value}; give one of the folders"
            )
        best[row.protocol_id] = min(kept, row, key=_standing)
    return sorted(best.values(), key=lambda row: f"{row.metric.name}-{row.protocol_id}")


def _standing(row: ScoreRow) -> tuple[int, int, str]:
    """Return what is least for the row that counts; equal for rows that say the same."""
    status = BEST_FIRST.index(row.status) if row.status in BEST_FIRST else len(BEST_FIRST)
    return status, -len(row.trial.stages), files.canonical(row.trial.to_json())


def rows_of(folder: TrialFolder, record: TrialRecord) -> Iterator[ScoreRow]:
    """Yield the rows of a trial whose record is safe to show; of a damaged score one that says so.

    Raises StoreError for what is not what genbench writes.
    """
    for stage, request in sorted(record.wanted.items()):
        metric = RecordedMetric.read(request["metric"])
        head = {"trial": record, "protocol_id": request["id"], "protocol": request["words"], "metric": metric}
        if stage in record.stages:
            try:
                yield _scored(folder, record, stage, head)
            except DamagedError as error:
                yield ScoreRow(**head, status="damaged", reason=printable(error))
        elif request["problem"] or request["skipped"]:
            status = "failed" if request["problem"] else "skipped"
            yield ScoreRow(**head, status=status, reason=request["problem"] or request["skipped"])
        else:
            status, reason = _stand(folder, record)
            yield ScoreRow(**head, status=status, reason=reason)


def _stand(folder: TrialFolder, record: TrialRecord) -> tuple[str, str]:
    """Return how a trial stands that lacks a score, and why: a live process may be at work on it."""
    if record.status in ("done", "interrupted") and locks.is_held(folder.path):
        return "running", progress_file.in_words(folder.path)
    return ("interrupted" if record.status == "done" else record.status), record.reason


def _scored(folder: TrialFolder, record: TrialRecord, stage: str, head: dict[str, Any]) -> ScoreRow:
    name = f"metrics/{stage}.json"
    from genbench.store import schema

    content = folder.read(record, stage, name)
    schema.check_score(content, printable(folder.path / name))
    examples, problem = _per_example(folder, record, stage)
    return ScoreRow(
        **head,
        status="done",
        reason="",
        value=content["value"],
        stderr=content.get("stderr"),
        extras=safe(content["extras"]),
        samples=content["samples"],
        against=content.get("against", 0),
        weights=printable(content.get("weights", ""), 80),
        notes=tuple(printable(note, 200) for note in (*content.get("notes", []), *problem)),
        per_example=examples,
        code=content.get("code", {}),
    )


def _per_example(folder: TrialFolder, record: TrialRecord, stage: str) -> tuple[Path | None, list[str]]:
    """Return the file with a score's values per test image, if there is one, or what is wrong with it."""
    name = f"metrics/{stage}{SHARD}"
    if name not in record.stages[stage].files:
        return None, []
    try:
        return folder.checked(record, stage, name), []
    except DamagedError as error:
        return None, [f"no error over test images: {error}"]
