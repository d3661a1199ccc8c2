"""Published numbers held against ours, as compact tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.tables import Column, Row, Table
from genbench.ranking.verdicts import Verdict

COLUMNS = (
    Column("published"),
    Column("dataset"),
    Column("score", right=True),
    Column("ours"),
    Column("one more run", right=True),
    Column("verdict"),
)


def tables(verdicts: Sequence[Verdict]) -> list[Table]:
    """Return a table for each claims file, in the verdicts' order."""
    by_file: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_file.setdefault(verdict.claim.claims, []).append(verdict)
    return [
        Table(f"Against {name}", COLUMNS, [_row(verdict) for verdict in several], list(_caption(several)))
        for name, several in by_file.items()
    ]


def _row(verdict: Verdict) -> Row:
    claim, row = verdict.claim, verdict.row
    error = row.summary.stderr if row and row.summary else None
    cells = (
        printable(claim.model),
        printable(claim.dataset),
        numbers.as_published(claim.value, claim.error),
        printable(verdict.model) or numbers.MISSING,
        numbers.interval(verdict.low, verdict.high, error),
        verdict.outcome,
    )
    return Row(cells)


def _caption(verdicts: Sequence[Verdict]) -> Iterator[str]:
    if any(verdict.low is not None for verdict in verdicts):
        yield "One more run: where a further run of ours would fall, 95 % prediction interval, t."
        bounds = {f"{v.claim.within:g} to a side on {v.claim.dataset}": None for v in verdicts if v.low is not None}
        yield f"Reproduced: the published run lies there, and it reaches at most {', '.join(bounds)}."
        yield "Better, worse: ours, beside a published run that lies elsewhere."
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for verdict in verdicts:
        if verdict.outcome in ("not run", "inconclusive"):
            models = reasons.setdefault((verdict.claim.dataset, verdict.outcome, verdict.why), [])
            models.append(verdict.claim.model)
    for (dataset, outcome, why), models in reasons.items():
        yield printable(f"{', '.join(dict.fromkeys(models))} on {dataset}: {outcome}: {why}.", 1000)
