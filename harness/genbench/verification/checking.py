"""A trial's scores checked from the deepest step on: trained, drawn, scored again; the step that differs is named."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from genbench.errors import printable
from genbench.store.verifications import Check, Mark, Step
from genbench.verification import compared
from genbench.verification.asked import Unit
from genbench.verification.compared import Place
from genbench.verification.readiness import Ready, shard_stamps
from genbench.verification.scratch import DRAWN, NOTHING, TRAINED, Kept, Made

Steps = Generator[Kept, Made, "Checked"]
"""Asks that a trial be begun again with some stages kept, is sent what came of it, returns what it found."""


@dataclass(frozen=True)
class Checked:
    """What was found of a unit: the marks of its scores by stage, and why others were not scored in the first place."""

    unit: Unit
    marks: Mapping[str, Mark]
    without: Mapping[str, str]


def steps(ready: Ready, place: Place) -> Steps:
    """Check a unit; see `Steps`. A step is judged by what was done again from the stored step before it."""
    scored = [stage for stage in ready.unit.scores if stage in ready.record.stages]
    if not scored or not ready.protocols:
        fit = Check("unchecked", ready.problem) if _is_trained(ready) else None
        return _found(ready, fit, _undrawn(ready, ready.problem), {}, scored)
    fit, made = yield from _trained(ready, place)
    samples, made = yield from _drawn(ready, place, made)
    if made is None and (ready.has_samples or samples is None):
        made = yield DRAWN
    scores = yield from _scored(ready, place, made, [stage for stage in scored if stage in ready.protocols])
    return _found(ready, fit, samples, scores, scored)


def _trained(ready: Ready, place: Place) -> Generator[Kept, Made, tuple[Check | None, Made | None]]:
    """Return what training again came to, None if that was not asked for, and what was made where it is the same."""
    if not _is_trained(ready):
        return None, None
    made = yield NOTHING
    fit = compared.fit(ready, made, place)
    if fit.outcome == "same":
        return fit, made
    return replace(fit, words=f"{fit.words}{compared.scores_then(ready, made)}"), None


def _is_trained(ready: Ready) -> bool:
    """Return whether a trial is to be trained again: of images made elsewhere nothing is."""
    return ready.unit.retrains and not ready.model.is_given


def _drawn(ready: Ready, place: Place, made: Made | None) -> Generator[Kept, Made, tuple[Check | None, Made | None]]:
    """Return what drawing again came to, None of a trial without samples; and what was made of the stored samples."""
    why = ready.undrawn or compared.undrawable(ready, place)
    if made is None and why:
        return _undrawn(ready, why), None
    if made is None:
        made = yield TRAINED
    if "samples" not in ready.record.stages:
        return None, made
    samples = compared.samples(ready, made, place)
    if samples.outcome == "differs":
        first = shard_stamps(made.record) if made.record else {}
        made = yield TRAINED
        if made.record and shard_stamps(made.record) != first:
            samples = Check("unchecked", "its model draws other samples each time, from the same random numbers")
    return samples, made if samples.outcome == "same" else None


def _undrawn(ready: Ready, why: str) -> Check | None:
    return Check("unchecked", why) if "samples" in ready.record.stages else None


def _scored(
    ready: Ready, place: Place, made: Made | None, stages: Sequence[str]
) -> Generator[Kept, Made, dict[str, Check]]:
    """Return what scoring the stored samples again came to; a score that differs is computed once more."""
    if made is None:
        return dict.fromkeys(stages, Check("unchecked", "its samples were not kept"))
    found = {stage: compared.score(ready, made, stage, place) for stage in stages}
    differing = [stage for stage, check in found.items() if check.outcome == "differs"]
    if differing and (ready.has_samples or "samples" not in ready.record.stages):
        first = {stage: compared.numbers(made, stage) for stage in differing}
        made = yield DRAWN
        for stage in differing:
            if compared.numbers(made, stage) not in (first[stage], {}):
                found[stage] = Check("unchecked", "its metric comes to other numbers each time, of the same samples")
    return found


def _found(
    ready: Ready, fit: Check | None, samples: Check | None, scores: Mapping[str, Check], scored: Sequence[str]
) -> Checked:
    record = Check("differs", "; ".join(dict.fromkeys(ready.lies))) if ready.lies else Check("same")
    marks = {}
    for stage in scored:
        lacking = Check("unchecked", ready.problem or ready.lacking.get(stage, ""))
        found: dict[Step, Check | None] = {"record": record, "fit": fit, "samples": samples}
        found["score"] = scores.get(stage, lacking)
        marks[stage] = Mark({step: check for step, check in found.items() if check is not None})
    return Checked(ready.unit, marks, _without(ready, scored))


def _without(ready: Ready, scored: Sequence[str]) -> dict[str, str]:
    """Return why protocols that were asked for have no score, by stage."""
    return {
        stage: printable(request["problem"] or request["skipped"] or ready.record.reason or ready.record.status)
        for stage, request in ready.unit.scores.items()
        if stage not in scored
    }
