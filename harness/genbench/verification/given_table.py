"""What became of a table held to trials: a verdict in a sentence, rows by metric, then every cell that differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from genbench.errors import printable
from genbench.output.tables import Column, Row, Table
from genbench.ranking import frames
from genbench.ranking.columns import HELD_TABLE
from genbench.verification.tables_given import HeldTable, Line

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    Column("metric"),
    Column("dataset"),
    Column("rows", right=True),
    Column("hold", right=True),
    Column("differ", right=True),
    Column("no trials", right=True),
)


def table(found: HeldTable) -> Table:
    """Return what became of a table."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in found.lines:
        groups.setdefault((line.metric, line.dataset), []).append(line)
    rows = [Row((*names, *_counts(lines))) for names, lines in groups.items()]
    return Table(verdict(found), COLUMNS, rows, list(_caption(found)), ruled=True)


def _counts(lines: Sequence[Line]) -> Iterator[str]:
    """Yield how many rows there are, and how many with each outcome."""
    yield str(len({line.line for line in lines}))
    for outcome in ("same", "differs", "unchecked"):
        yield str(len({line.line for line in lines if line.outcome == outcome}))


def verdict(found: HeldTable) -> str:
    """Return in a sentence what became of all rows."""
    name, rows = printable(found.path), len({line.line for line in found.lines})
    of = f"{rows:,} {'row' if rows == 1 else 'rows'} of {name}"
    differing, unchecked = found.count("differs"), found.count("unchecked")
    if differing:
        return f"DIFFERS: {differing:,} of {of}."
    if not rows:
        return f"{name} has no rows."
    if unchecked == rows:
        return f"Nothing could be checked of {of}."
    if unchecked:
        return f"{rows - unchecked:,} of {of} are what the trials give; {unchecked:,} cannot be verified."
    return f"Holds: {of} {'is' if rows == 1 else 'are'} what the trials in {printable(found.results)} give, to the bit."


def _caption(found: HeldTable) -> Iterator[str]:
    for line in found.lines:
        where = f"line {line.line}, {line.model}, {line.metric}"
        if line.outcome == "differs":
            yield printable(f"! {where}: {line.column} is {line.stated}; the trials give {line.found}", 1000)
        elif line.outcome == "unchecked":
            yield printable(f"not verified: {where}: {line.words}", 1000)
    yield from (printable(note, 600) for note in found.notes)
    if found.count("same"):
        where = printable(found.results)
        yield f"Held to the scores stored in {where}; whether these come out again: genbench verify --results {where}"


def frame(found: HeldTable) -> pd.DataFrame:
    """Return a row for each line, in the columns HELD_TABLE; empty texts are missing."""
    rows = [{name: value or None for name, value in asdict(line).items()} for line in found.lines]
    return frames.of_rows(rows, HELD_TABLE)
