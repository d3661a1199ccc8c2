"""What makes two scores comparable: a protocol, and its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genbench import files
from genbench.registry import extractors, file_options
from genbench.registry.resolve import Resolved
from genbench.store import layout
from genbench.store.records import TrialRecord
from genbench.trial.identity import NO_BUDGET, Budget, Target

MODEL = layout.MODEL


@dataclass(frozen=True)
class Protocol:
    """A metric with its options and version, on a dataset, against a split, for models trained within a budget.

    Against which split is left out for a metric that does not use it; resized says how images made elsewhere were.

    Scores of different ids never share a column. Settings (memory, say) are no part of it.
    """

    metric: Resolved
    dataset_digest: str
    target: Target = "test"
    budget: Budget = NO_BUDGET
    resized: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """Return what the id is a hash of."""
        named = {"metric": self.metric.identity, "dataset": self.dataset_digest, "target": self._against}
        if self.extractor:  # by what it is, not by how it was called
            metric = self.metric.identity
            options = {name: value for name, value in metric["options"].items() if name != "extractor"}
            named |= {"metric": {**metric, "options": options}, "extractor": extractors.identity(self.extractor)}
        if self.resized:
            named["resized"] = self.resized
        return {**named, "budget": self.budget.to_json()} if self.budget.bounds else named

    @property
    def _against(self) -> str:
        return self.target if self.metric.traits.get("uses_target", True) else ""

    @property
    def extractor(self) -> Mapping[str, Any] | None:
        """Return the feature extractor that the metric uses, as resolved, or None."""
        return self.metric.traits.get("extractor")

    @property
    def code(self) -> dict[str, str]:
        """Return the digests of the code that scores, of the metric and of its extractor; no part of the id."""
        code = {"metric": self.metric.code, "extractor": (self.extractor or {}).get("code", "")}
        return {part: digest for part, digest in code.items() if digest}

    @property
    def id(self) -> str:
        """Return the first 8 hex digits of the hash."""
        return files.digest(self.fields, 8)

    @property
    def stage(self) -> str:
        """Return the name of the stage, and of the file, that holds a trial's score under it."""
        return f"{self.metric.name}-{self.id}"

    def in_words(self) -> str:
        """Return the protocol for the caption under a table."""
        words = [self.metric.traits["describe"]]
        if self.extractor:
            description = self.extractor["traits"]["describe"]
            words.append(
                f"features of {file_options.shown(self.extractor)}" + (f" ({description})" if description else "")
            )
        if self._against and (self.extractor or self._against != "test"):
            words.append(f"scored against the {self._against} split")
        if self.resized:
            words.append(self.resized)
        if self.budget.bounds:
            words.append(f"training at most {self.budget}")
        return "; ".join(words)


def is_scored(record: TrialRecord, protocol: Protocol) -> bool:
    """Return whether a record holds a valid score under a protocol, or the reason why there can be none."""
    if record.wanted.get(protocol.stage, {}).get("skipped"):
        return True
    stage, fit, samples = (record.stages.get(name) for name in (protocol.stage, "fit", "samples"))
    if stage is None or fit is None:
        return False
    now: Mapping[str, Any] = {
        "model": fit.files[MODEL]["sha256"],
        "dataset": protocol.dataset_digest,
        "samples": samples.digest if samples else "",
        "extractor": protocol.extractor["traits"]["digest"] if protocol.extractor else "",
    }
    # Samples drawn later stand behind those a score was computed from, and leave it valid.
    return all(now[name].startswith(digest) for name, digest in stage.inputs.items())
