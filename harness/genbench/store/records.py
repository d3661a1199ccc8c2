"""What a trial's folder says of it: trial.json as a typed value, and the schema it is written in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genbench.errors import StoreError, printable
from genbench.store.layout import BULK, MODEL, SHARD, Keep

SCHEMA = 2
"""Raised when records written before would be misread; such records are upgraded on reading, never rewritten."""


@dataclass(frozen=True)
class Stage:
    """A finished step of a trial: its files with size and SHA-256, relative to the folder, and what it took.

    inputs are the digests of what it was computed from: a stage is valid only while they are equal.
    """

    files: Mapping[str, Mapping[str, Any]]
    seconds: float
    inputs: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Return the digests of its files, in order, as one text."""
        return ",".join(self.files[name]["sha256"] for name in sorted(self.files))


@dataclass(frozen=True)
class TrialRecord:
    """Everything a trial's folder knows of it.

    identity is what the id is a hash of; model and dataset are as resolved; wanted are the protocols asked for, by
    stage name; stages those finished; environment what it ran on, recorded and not part of the identity; attempts how
    often its training was begun or taken up again; fresh is the mark of the run that asked to train it anew, or "";
    dropped are files of its stages that were let go on purpose: their checksums stay, and with them what rests on them.
    """

    id: str
    identity: Mapping[str, Any]
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    seed: int
    budget: Mapping[str, Any]
    status: str
    reason: str = ""
    wanted: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    stages: Mapping[str, Stage] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1
    fresh: str = ""
    dropped: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values, with the schema's number; "dropped" is left out where it is empty."""
        content = {"schema": SCHEMA, **dataclasses.asdict(self)}
        dropped = list(content.pop("dropped"))
        return {**content, "dropped": dropped} if dropped else content

    def without(self, stage: str) -> TrialRecord:
        """Return the record without a stage."""
        return self._with_stages({name: kept for name, kept in self.stages.items() if name != stage})

    def of_its_model(self) -> TrialRecord:
        """Return the record without the stages that were computed from another model than the one that is stored."""
        model = self.stages["fit"].files.get(MODEL, {}).get("sha256")
        return self._with_stages(
            {name: kept for name, kept in self.stages.items() if kept.inputs.get("model", model) == model}
        )

    def _with_stages(self, stages: Mapping[str, Stage]) -> TrialRecord:
        listed = {name for stage in stages.values() for name in stage.files}
        return dataclasses.replace(self, stages=stages, dropped=tuple(n for n in self.dropped if n in listed))

    def bulk(self, keep: Keep) -> list[str]:
        """Return the names of the files that are let go: of "samples" the weights, of "none" the samples too."""
        return [
            name
            for stage, let_go in (("fit", keep != "all"), ("samples", keep == "none"))
            for name in (self.stages[stage].files if let_go and stage in self.stages else ())
            if name.endswith(SHARD)
        ]

    def lacks(self, stage: str) -> bool:
        """Return whether files of a stage were let go."""
        return stage in self.stages and not self.stages[stage].files.keys().isdisjoint(self.dropped)

    @property
    def lacking(self) -> str:
        """Return what was let go of it, in words, or ""."""
        parts = [BULK[stage] for stage in BULK if self.lacks(stage)]
        return f"without {' and '.join(parts)}, which were not kept" if parts else ""

    @classmethod
    def from_json(cls, record: dict[str, Any], where: str) -> TrialRecord:
        """Return the record of JSON values, those of older schemas upgraded.

        Raises StoreError for a newer one, and for what genbench does not write: nothing of it may be used then.
        """
        from genbench.store import schema as shapes  # pydantic: not for commands that read no record

        schema = record.pop("schema", None)
        if type(schema) is not int or not 1 <= schema <= SCHEMA:
            raise StoreError(
                f"{where} has schema {printable(schema)}; this genbench reads 1 to {SCHEMA}: use the version it is from"
            )
        for version in range(schema, SCHEMA):
            record = UPGRADES[version](record)
        shapes.check_record(record, where)
        stages = {name: Stage(**stage) for name, stage in record.pop("stages").items()}
        return cls(**record, stages=stages)


def _from_1(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 did not count attempts, and knew a fresh training only by its results."""
    return {**record, "attempts": 1, "fresh": ""}


UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}
"""What makes a record of each older schema one of the next."""
