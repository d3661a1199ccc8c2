"""Every stored score as a row: one per trial and protocol, the failed and refused ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from genbench.errors import GenbenchError, printable
from genbench.ranking.readable import readable, readable_score
from genbench.store.folder import TrialFolder
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.trial.spec import LAST

Kind = Literal["ours", "reference", "published"]


@dataclass(frozen=True)
class ScoreRow:
    """A trial's score under a protocol; value is None unless status is done.

    model, dataset and metric are as resolved; stderr is the metric's own error of the value; per_example is the file
    with one value per test image, if there is one; weights tells apart those that a feature extractor was trained to
    where it was used.
    """

    trial: TrialRecord
    protocol_id: str
    protocol: str
    metric: Mapping[str, Any]
    status: str
    reason: str
    value: float | None = None
    stderr: float | None = None
    extras: Mapping[str, float] | None = None
    samples: int = 0
    per_example: Path | None = None
    weights: str = ""
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> Mapping[str, Any]:
        """Return the model as resolved."""
        return self.trial.model

    @property
    def selection(self) -> str:
        """Return the rule that its state was selected by."""
        return printable(self.trial.identity.get("select", LAST))

    @property
    def label(self) -> str:
        """Return what the model is called: as it can be typed, and how its state was selected, if it was."""
        label: str = self.model["label"]
        return label if self.selection == LAST else f"{label} ({self.selection})"

    @property
    def kind(self) -> Kind:
        """Return whether the row is ranked (ours) or a reference."""
        return "reference" if self.model["traits"]["role"] == "reference" else "ours"


def is_given(model: Mapping[str, Any]) -> bool:
    """Return whether what stands in a model's place, as resolved, are images made elsewhere."""
    return model["traits"].get("given") is True


@dataclass(frozen=True)
class Collected:
    """The rows of a store, and what is wrong with the folders that could not be read."""

    rows: list[ScoreRow]
    damaged: list[str]


def collect(store: Store) -> Collected:
    """Return the rows of every readable trial."""
    collected = Collected([], [])
    for folder, record in store.all():
        if isinstance(record, GenbenchError):
            collected.damaged.append(printable(record))
            continue
        try:
            collected.rows.extend(rows_of(folder, record))
        except GenbenchError as error:
            collected.damaged.append(printable(error))
    return collected


def rows_of(folder: TrialFolder, record: TrialRecord) -> Iterator[ScoreRow]:
    """Yield the rows of a trial. Raises DamagedError or StoreError for what is not what genbench wrote."""
    record = readable(record, printable(folder.path / "trial.json"))
    for stage, wanted in sorted(record.wanted.items()):
        head = {"trial": record, "protocol_id": wanted["id"], "protocol": wanted["words"], "metric": wanted["metric"]}
        if stage in record.stages:
            yield _scored(folder, record, stage, head)
        elif wanted["problem"] or wanted["skipped"]:
            status = "failed" if wanted["problem"] else "skipped"
            yield ScoreRow(**head, status=status, reason=wanted["problem"] or wanted["skipped"])
        else:
            status = "interrupted" if record.status == "done" else record.status
            yield ScoreRow(**head, status=status, reason=record.reason)


def _scored(folder: TrialFolder, record: TrialRecord, stage: str, head: dict[str, Any]) -> ScoreRow:
    finished = record.stages[stage]
    name = f"metrics/{stage}.json"
    content = readable_score(folder.read(record, stage, name), printable(folder.path / name))
    examples = f"metrics/{stage}.safetensors"
    return ScoreRow(
        **head,
        status="done",
        reason="",
        value=content["value"],
        stderr=content["stderr"],
        extras=content["extras"],
        samples=content["samples"],
        weights=printable(content.get("weights", ""), 80),
        notes=tuple(printable(note, 200) for note in content["notes"]),
        per_example=folder.checked(record, stage, examples) if examples in finished.files else None,
    )
