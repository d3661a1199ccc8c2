"""What was done again, held to what is stored: weights and samples by their bits, scores by every number."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from genbench.errors import GenbenchError, printable
from genbench.ranking.recorded import RecordedMetric
from genbench.store.layout import SHARD
from genbench.store.records import TrialRecord
from genbench.store.trial_folder import TrialFolder
from genbench.store.verifications import Check
from genbench.trial import restoring
from genbench.verification.readiness import Ready, older_code, shard_stamps
from genbench.verification.scratch import Made
from genbench.verification.tolerances import IMAGES, tolerance

BLOCK = 1000
"""Samples that are compared at once."""

NO_PROOF = "a difference is then no proof of anything"


@dataclass(frozen=True)
class Place:
    """Where trials are done again: a device, as `genbench.trial.environment` describes it.

    Each place has its own roundings; a GPU and the CPU have their own random numbers too.
    """

    environment: Mapping[str, Any]

    def other(self, record: TrialRecord) -> str:
        """Return how the place where a trial ran differs from this one, in words, or ""."""
        names = {"device": "device", "device_name": "", "torch": "torch"}
        now, then = self.environment, record.environment
        parts = [f"{word} {then.get(name)}".strip() for name, word in names.items() if then.get(name) != now.get(name)]
        return printable(f"it ran on {', '.join(parts)}") if parts else ""

    def draws_otherwise(self, record: TrialRecord) -> bool:
        """Return whether random numbers of a trial came from another kind of device than this one."""
        return bool(record.environment.get("device") != self.environment.get("device"))


# Training ------------------------------------------------------------------------------------------------------------


def fit(ready: Ready, made: Made, place: Place) -> Check:
    """Return whether training came to the same weights, and to the same log."""
    if not made.has("fit") or made.record is None:
        return Check("unchecked", f"it could not be trained again: {made.problem}")
    then, now = ready.record.stages["fit"], made.record.stages["fit"]
    names = [name for name in sorted(then.files) if then.files[name] != now.files.get(name)]
    if not names and _size(then.details) == _size(now.details):
        return Check("same")
    found = f"trained again, {' and '.join(names) or 'the number of steps or parameters'} came out otherwise"
    if ready.trial and ready.trial.budget.seconds is not None:
        return Check("unchecked", "its budget is in seconds, which no training keeps to the step")
    if other := place.other(ready.record):
        return Check("unchecked", f"{found}, as it may elsewhere: {other}")
    return Check("differs", _with_reason(found, older_code(ready)))


def _size(details: Mapping[str, Any]) -> tuple[Any, Any]:
    return details.get("steps"), details.get("parameters")


def _with_reason(found: str, older: str) -> str:
    return f"{found}; {older}: {NO_PROOF}" if older else found


def scores_then(ready: Ready, made: Made) -> str:
    """Return in words what a trial scores that was trained again, beside what is stored, or ""."""
    parts = []
    for stage, protocol in ready.protocols.items():
        then, now = numbers(Made(ready.unit.stored.folder, ready.record), stage), numbers(made, stage)
        if then and now:
            parts.append(f"{protocol.metric.label} {now['value']:.6g} in place of {then['value']:.6g}")
    return f"; it scores {', '.join(parts)}" if parts else ""


# Samples -------------------------------------------------------------------------------------------------------------


def samples(ready: Ready, made: Made, place: Place) -> Check:
    """Return whether samples drawn again are those that are stored."""
    if not made.has("samples") or made.record is None:
        return Check("unchecked", f"they could not be drawn again: {made.problem}")
    then, now = shard_stamps(ready.record), shard_stamps(made.record)
    if all(then.get(name) == digest for name, digest in now.items()):
        return Check("same")
    if not ready.has_samples:
        return Check("unchecked", "other files of samples came of it than are listed, which were not kept")
    try:
        count, other, mean = _difference(ready, made, made.record)
    except GenbenchError as error:
        return Check("unchecked", printable(error))
    return _judged(ready, place, count, other, mean) if other else Check("same")


def undrawable(ready: Ready, place: Place) -> str:
    """Return why samples cannot be drawn again on this kind of device, or ""."""
    if ready.model.is_given or not place.draws_otherwise(ready.record):
        return ""
    return printable(f"drawn on another kind of device, whose random numbers are others: {place.other(ready.record)}")


def _difference(ready: Ready, made: Made, record: TrialRecord) -> tuple[int, int, float]:
    """Return how many samples were compared, how many of them differ, and the mean distance of their values."""
    assert ready.data is not None  # what was done again had its data
    space = ready.data.space
    stored, drawn = restoring.shards(ready.unit.stored.folder, ready.record), restoring.shards(made.folder, record)
    count = min(_count(ready.record), _count(record))
    other, total = 0, 0.0
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        a = restoring.sample_rows(stored, space, start, stop)
        b = restoring.sample_rows(drawn, space, start, stop)
        if a.shape != b.shape:
            raise GenbenchError(f"{len(a)} samples are stored of {start} to {stop}, and {len(b)} were drawn")
        other += int((a.view(torch.int32) != b.view(torch.int32)).flatten(1).any(1).sum())
        total += float((a.double() - b.double()).abs().sum())
    return count, other, total / (count * space.dim * (space.bounds[1] - space.bounds[0]))


def _count(record: TrialRecord) -> int:
    details = record.stages["samples"].details
    return int(details["batch"]) * int(details["batches"])


def _judged(ready: Ready, place: Place, count: int, other: int, mean: float) -> Check:
    found = f"{other:,} of {count:,} samples are not what the stored model draws"
    elsewhere = place.other(ready.record)
    if elsewhere and mean <= IMAGES:
        return Check(
            "close", f"{other:,} of {count:,} samples differ by {mean:.1e} of the range on average: {elsewhere}"
        )
    if elsewhere and ready.unit.record.model["traits"].get("chains"):
        return Check("unchecked", f"its chains come apart by rounding alone elsewhere: {elsewhere}")
    return Check("differs", _with_reason(f"{found}{f' ({elsewhere})' if elsewhere else ''}", older_code(ready)))


# Scores --------------------------------------------------------------------------------------------------------------


def score(ready: Ready, made: Made, stage: str, place: Place) -> Check:
    """Return whether a score that was computed again is the one that is stored."""
    if made.record is None or not made.has(stage):
        return Check("unchecked", _why_unscored(made, stage))
    try:
        then = _read(ready.unit.stored.folder, ready.record, stage)
        now = _read(made.folder, made.record, stage)
    except GenbenchError as error:
        return Check("differs", printable(error))
    if then.get("weights", "") != now.get("weights", ""):
        return Check("unchecked", "its features are by other weights, trained elsewhere, than those trained here")
    differing = list(_differing(then, now))
    if _examples(ready.record, stage) != _examples(made.record, stage):
        differing.append("values per test image")
    if not differing:
        return Check("same")
    return _judged_score(ready, stage, place, then, now, differing)


def _judged_score(
    ready: Ready, stage: str, place: Place, then: Mapping[str, Any], now: Mapping[str, Any], differing: list[str]
) -> Check:
    distance = abs(then["value"] - now["value"])
    found = f"{', '.join(differing)} came out otherwise: {then['value']!r} stored, {now['value']!r} computed again"
    elsewhere = place.other(ready.record)
    if not elsewhere:
        return Check("differs", _with_reason(found, older_code(ready, stage)))
    metric = RecordedMetric.read(ready.record.wanted[stage]["metric"])
    within = tolerance(then["value"], then.get("stderr"), metric.bounds, then["samples"] or then.get("against", 0))
    if distance <= within and then["samples"] == now["samples"]:
        return Check("close", f"{distance:.1e} apart, within {within:.1e}: {elsewhere}")
    if place.draws_otherwise(ready.record) and not then["samples"]:
        return Check("unchecked", f"its metric draws random numbers of its own on the device: {elsewhere}")
    return Check("differs", _with_reason(f"{found}, beyond {within:.1e} ({elsewhere})", older_code(ready, stage)))


def _why_unscored(made: Made, stage: str) -> str:
    request = made.record.wanted.get(stage, {}) if made.record else {}
    reason = request.get("problem") or request.get("skipped") or made.problem or "its score was not reached"
    return printable(f"it could not be computed again: {reason}", 500)


def _read(folder: TrialFolder, record: TrialRecord, stage: str) -> dict[str, Any]:
    from genbench.store import schema

    name = f"metrics/{stage}.json"
    content = folder.read(record, stage, name)
    schema.check_score(content, printable(folder.path / name))
    return content


def numbers(made: Made, stage: str) -> dict[str, Any]:
    """Return the content of a score's file, or {} where there is none that can be read."""
    if made.record is None or not made.has(stage):
        return {}
    with contextlib.suppress(GenbenchError):
        return {name: value for name, value in _read(made.folder, made.record, stage).items() if name in COMPARED}
    return {}


NUMBERS = ("value", "stderr", "samples", "against")
COMPARED = (*NUMBERS, "extras")


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the numbers of a score that are not equal to the bit; what older files lack does not count."""
    for name in NUMBERS:
        if name in then and not _equal(then[name], now.get(name)):
            yield name
    for name in sorted({*then["extras"], *now["extras"]}):
        if not _equal(then["extras"].get(name), now["extras"].get(name)):
            yield printable(name, 60)


def _equal(a: float | None, b: float | None) -> bool:
    return a == b and (a is None or b is None or math.copysign(1, a) == math.copysign(1, b))


def _examples(record: TrialRecord, stage: str) -> str:
    stamp = record.stages[stage].files.get(f"metrics/{stage}{SHARD}", {})
    return str(stamp.get("sha256", ""))
