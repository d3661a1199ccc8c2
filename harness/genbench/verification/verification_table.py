"""What was verified as a table: a verdict in a sentence, a row for each model and metric, then what differs and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.tables import Column, Row, Table
from genbench.ranking import frames
from genbench.ranking.columns import VERIFICATION
from genbench.registry import file_options
from genbench.store.verifications import STEPS, Check, Mark, Step
from genbench.verification.asked import Unit
from genbench.verification.verifying import Verified

if TYPE_CHECKING:
    import pandas as pd

HEADS: Mapping[Step, str] = {"record": "files", "fit": "trained", "samples": "drawn", "score": "scored"}
LONGEST = 1500


class _Row(NamedTuple):
    """What a row of the table is about."""

    model: str
    dataset: str
    metric: str


def table(found: Verified) -> Table:
    """Return what was found as a table."""
    groups = _grouped(found)
    several = len({row.dataset for row in groups}) > 1
    columns = (
        Column("model"),
        *([Column("dataset")] if several else []),
        Column("metric"),
        *(Column(head, right=True, wraps=False) for head in HEADS.values()),
    )
    rows = [
        Row((row.model, *([row.dataset] if several else []), row.metric, *(_cell(step, marks) for step in HEADS)))
        for row, marks in groups.items()
    ]
    return Table(verdict(found), columns, rows, list(_caption(found, bool(groups))), ruled=bool(groups))


def verdict(found: Verified) -> str:
    """Return in a sentence what became of all scores."""
    count = sum(found.verdicts.values())
    trials = len({each.unit.record.id for each in found.checked if each.marks})
    scores = f"{_of(count, 'score')} of {_of(trials, 'trial')}"
    verified, partly, differing = (found.verdicts[verdict] for verdict in ("verified", "partly", "differs"))
    if differing:
        return f"DIFFERS: {differing:,} of {scores}."
    if not verified and not partly:
        return f"Nothing could be checked of {scores}." if count else "There is no score to check."
    how = f"{_close(found):,} within the rounding of another device" if _close(found) else "to the bit"
    if verified == count:
        return f"Holds: {scores} came out again, {how}."
    parts = [f"{verified + partly:,} of {scores} came out again, {how}"]
    parts += [f"of {partly:,} not every step could be checked"] if partly else []
    parts += [f"{count - verified - partly:,} could not be checked"] if count > verified + partly else []
    return f"{'; '.join(parts)}."


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _close(found: Verified) -> int:
    """Return how many verified scores came out close to what is stored, and not the same."""
    marks = [mark for each in found.checked for mark in each.marks.values()]
    return sum(mark.verdict in ("verified", "partly") and mark.steps["score"].outcome == "close" for mark in marks)


def _grouped(found: Verified) -> dict[_Row, list[Mark]]:
    groups: dict[_Row, list[Mark]] = {}
    for each in found.checked:
        for stage, mark in each.marks.items():
            row = _Row(
                printable(each.unit.stored.model), printable(each.unit.stored.dataset), _metric(each.unit, stage)
            )
            groups.setdefault(row, []).append(mark)
    return groups


def _metric(unit: Unit, stage: str) -> str:
    """Return what a metric is called, and behind it the split where that is not test."""
    label = file_options.shown(unit.stored.record.wanted[stage]["metric"])
    return printable(label if unit.target == "test" else f"{label} on {unit.target}")


def _cell(step: Step, marks: Sequence[Mark]) -> str:
    """Return `2/3`: of so many seeds with a step how many hold; "-" where nothing was to be looked at."""
    checks = [mark.steps[step] for mark in marks if step in mark.steps]
    if not checks:
        return numbers.MISSING
    mark = " !" if any(check.outcome == "differs" for check in checks) else ""
    return f"{sum(check.holds for check in checks)}/{len(checks)}{mark}"


# Below the table -----------------------------------------------------------------------------------------------------


def _caption(found: Verified, has_rows: bool) -> Iterator[str]:
    if has_rows:
        yield (
            "Of so many seeds how many hold: files whole and records true; trained, drawn and scored again to the same."
        )
        if all(step != "fit" for _, _, step, _ in _checks(found)):
            yield "No model was trained again: --retrain trains one seed of each row."
    yield from (f"! {line}" for line in _said(found, "differs"))
    yield from (f"close: {line}" for line in _said(found, "close"))
    yield from (f"not checked: {line}" for line in _said(found, "unchecked"))
    yield from _without(found)
    yield from (f"not read: {printable(line, LONGEST)}" for line in found.unread)
    yield from (printable(line, LONGEST) for line in found.notes)


def _said(found: Verified, outcome: str) -> Iterator[str]:
    """Yield a line for each thing that is to be said of steps with an outcome, and of which trials and scores."""
    lines: dict[tuple[Step, str], dict[str, dict[str, None]]] = {}
    for each, stage, step, check in _checks(found):
        if check.outcome == outcome:
            trials = lines.setdefault((step, check.words), {})
            trials.setdefault(str(each), {})[_metric(each, stage)] = None
    for (step, words), trials in lines.items():
        first, metrics = next(iter(trials.items()))
        more = f" and {len(trials) - 1} more" if len(trials) > 1 else ""
        of = f", {', '.join(metrics)}" if step == "score" else ""
        yield printable(f"{first}{of}{more}: {HEADS[step]}: {words}", LONGEST)


def _checks(found: Verified) -> Iterator[tuple[Unit, str, Step, Check]]:
    for each in found.checked:
        for stage, mark in each.marks.items():
            for step in STEPS:
                if step in mark.steps:
                    yield each.unit, stage, step, mark.steps[step]


def _without(found: Verified) -> Iterator[str]:
    """Yield a line for each reason why trials have no score."""
    lines: dict[tuple[str, str], list[str]] = {}
    for each in found.checked:
        for stage, why in each.without.items():
            lines.setdefault((_metric(each.unit, stage), why), []).append(str(each.unit))
    for (metric, why), units in lines.items():
        more = f" and {len(units) - 1} more" if len(units) > 1 else ""
        yield printable(f"no score: {units[0]}{more}, {metric}: {why}", LONGEST)


# In full -------------------------------------------------------------------------------------------------------------


def frame(found: Verified) -> pd.DataFrame:
    """Return a row for each step of each score, in the columns VERIFICATION."""
    return frames.of_rows([_in_full(*each) for each in _checks(found)], VERIFICATION)


def _in_full(unit: Unit, stage: str, step: Step, check: Check) -> dict[str, Any]:
    return {
        "metric": _metric(unit, stage),
        "dataset": unit.stored.dataset,
        "model": unit.stored.model,
        "seed": unit.record.seed,
        "trial": unit.record.id,
        "protocol_id": unit.stored.record.wanted[stage]["id"],
        "step": step,
        "outcome": check.outcome,
        "words": check.words or None,
        "at": check.at,
        "device": str(check.where.get("device_name") or check.where.get("device")),
    }
