"""What `genbench verify` found of a trial's scores, kept beside its record, and void once anything of it is another.

A mark is what its file says, and whoever makes a folder can make its marks: it tells what somebody found, and where.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from genbench import files
from genbench.errors import StoreError, printable
from genbench.store.layout import VERIFICATION
from genbench.store.records import TrialRecord
from genbench.store.store import Store
from genbench.store.trial_folder import TrialFolder

SCHEMA = 1
LONGEST = 1000
"""Characters of what is said of a step."""

Step = Literal["record", "fit", "samples", "score"]
"""What a score rests on: what is stored is whole and fits together; training, drawing and scoring come to the same."""

STEPS: tuple[Step, ...] = get_args(Step)

Outcome = Literal["same", "close", "differs", "unchecked"]
"""The same to the last bit; as close as another device can come; another; or not looked at, for a reason."""


@dataclass(frozen=True)
class Check:
    """What was found of one step of a score: the outcome, what is to be said, when (UTC), and on what machine."""

    outcome: Outcome
    words: str = ""
    at: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Return whether the step came to what is stored."""
        return self.outcome in ("same", "close")


@dataclass(frozen=True)
class Mark:
    """What was found of a score, step by step; a step that it does not have is left out."""

    steps: Mapping[Step, Check]

    @property
    def verdict(self) -> Literal["verified", "partly", "differs", ""]:
        """Return what became of the score.

        verified: every step that was looked at holds, scoring among them; partly: scoring does, and a step could not be
        looked at, as where the weights were not kept; differs: a step does; "": not scored again.
        """
        if any(check.outcome == "differs" for check in self.steps.values()):
            return "differs"
        if (score := self.steps.get("score")) is None or not score.holds:
            return ""
        return "verified" if all(check.holds for check in self.steps.values()) else "partly"

    @property
    def in_words(self) -> str:
        """Return "verified 2026-01-31: trained, drawn and scored again, on AMD EPYC", or what differs, or ""."""
        if self.verdict == "differs":
            return f"differs: {'; '.join(c.words for c in self.steps.values() if c.outcome == 'differs')}"
        if not self.verdict:
            return ""
        done = [AGAIN[step] for step in STEPS if step in AGAIN and (c := self.steps.get(step)) and c.holds]
        score = self.steps["score"]
        again = " and ".join(filter(None, [", ".join(done[:-1]), done[-1]]))
        place = score.where.get("device_name") or score.where.get("device")
        on = f", on {place}" if place else ""
        partly = "partly " if self.verdict == "partly" else ""
        return printable(f"{partly}verified {score.at[:10]}: {again} again{on}")


AGAIN: Mapping[Step, str] = {"fit": "trained", "samples": "drawn", "score": "scored"}


def basis(record: TrialRecord, stage: str) -> str:
    """Return the digest of what a score rests on: the trial's identity, the request, and the content of all files."""
    fit, score = record.stages["fit"], record.stages[stage]
    content = {
        "identity": record.identity,
        "model": record.model,
        "dataset": record.dataset,
        "request": record.wanted.get(stage, {}),
        "fit": {name: stamp["sha256"] for name, stamp in fit.files.items()},
        "inputs": dict(score.inputs),
        "score": {name: stamp["sha256"] for name, stamp in score.files.items()},
    }
    return files.digest(content)


def marks(folder: TrialFolder, record: TrialRecord) -> dict[str, Mark]:
    """Return the marks that count of a trial's scores, by the id of their protocol.

    Those of scores that are others now do not count, and nothing does of a file that is damaged, of another trial, or
    not as genbench writes it. Texts are safe to show.
    """
    with contextlib.suppress(StoreError):
        return {
            record.wanted[stage]["id"]: Mark({step: _safe(check) for step, check in mark.steps.items()})
            for stage, mark in by_stage(folder, record).items()
        }
    return {}


def of_store(store: Store) -> dict[tuple[str, str], Mark]:
    """Return the marks that count in a store, by trial and protocol; of a trial in several folders the first's."""
    found: dict[tuple[str, str], Mark] = {}
    for trial, copies in store.read().trials.items():
        for folder, record in copies:
            for protocol, mark in marks(folder, record).items():
                found.setdefault((trial, protocol), mark)
    return found


def by_stage(folder: TrialFolder, record: TrialRecord) -> dict[str, Mark]:
    """Return the marks that count by stage. Raises StoreError where the file is not what genbench wrote."""
    path = folder.path / VERIFICATION
    try:
        content = files.read_record(path)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {}
        raise
    from genbench.store import schema, verification_schema  # pydantic: not for what reads no mark

    schema.check(verification_schema.Verification, content, printable(path))
    if content["trial"] != record.id:
        return {}
    return {
        stage: Mark({step: Check(**check) for step, check in kept["steps"].items()})
        for stage, kept in content["scores"].items()
        if stage in record.wanted and _counts(record, stage, kept["of"])
    }


def _counts(record: TrialRecord, stage: str, of: str) -> bool:
    """Return whether a score still is what was looked at, and still of the samples that are stored."""
    if "fit" not in record.stages or stage not in record.stages or basis(record, stage) != of:
        return False
    samples = record.stages.get("samples")
    return (samples.digest if samples else "").startswith(record.stages[stage].inputs.get("samples", ""))


def keep(folder: TrialFolder, record: TrialRecord, found: Mapping[str, Mark]) -> bool:
    """Write the marks of some scores, by stage, beside those that count; of these a step not looked at now is kept.

    Returns whether that was done: not where the trial is another now. To a trial's record nothing is done. Raises Busy
    where another process is at work on it, StoreError where nothing can be written.
    """
    with folder.lock():
        now = folder.record()
        if now is None or any(s not in now.stages or basis(now, s) != basis(record, s) for s in found):
            return False
        before: dict[str, Mark] = {}
        with contextlib.suppress(StoreError):  # what is damaged there is replaced
            before = by_stage(folder, now)
        _write(folder, now, before | {stage: _over(before.get(stage), mark) for stage, mark in found.items()})
    return True


def copy(folder: TrialFolder, to: TrialFolder, record: TrialRecord) -> None:
    """Write the marks that count of a trial's scores into a copy of its folder."""
    with contextlib.suppress(StoreError):
        if kept := by_stage(folder, record):
            _write(to, record, kept)


def _over(before: Mark | None, now: Mark) -> Mark:
    """Return a mark with the steps of an earlier one that held, where they were not looked at now."""
    earlier = {step: check for step, check in (before.steps if before else {}).items() if check.holds}
    looked = {step: check for step, check in now.steps.items() if check.outcome != "unchecked" or step not in earlier}
    return Mark({**earlier, **looked})


def _write(folder: TrialFolder, record: TrialRecord, found: Mapping[str, Mark]) -> None:
    scores = {
        stage: {
            "of": basis(record, stage),
            "steps": {step: dataclasses.asdict(check) for step, check in mark.steps.items()},
        }
        for stage, mark in found.items()
    }
    files.write_record(folder.path / VERIFICATION, {"schema": SCHEMA, "trial": record.id, "scores": scores})


def _safe(check: Check) -> Check:
    where = {printable(name, 40): _shown(value) for name, value in check.where.items()}
    return dataclasses.replace(check, words=printable(check.words, LONGEST), where=where)


def _shown(value: Any) -> Any:
    return printable(value, 200) if isinstance(value, str) else value
