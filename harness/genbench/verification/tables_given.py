"""A leaderboard.csv or trials.csv, from wherever it came, held cell by cell to what the stored trials give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genbench.errors import RequestError, printable
from genbench.output import cells
from genbench.output.cells import Cell
from genbench.output.tables_csv import read_csv
from genbench.ranking import frames
from genbench.ranking.board import boards
from genbench.ranking.scores import collect
from genbench.store.store import Store

KEYS: Mapping[str, tuple[str, ...]] = {
    "leaderboard.csv": ("protocol_id", "dataset_digest", "model", "kind"),
    "trials.csv": ("trial", "protocol_id"),
}
"""By which columns a row of each table is known again."""

TELLS = {"leaderboard.csv": "mean", "trials.csv": "value"}
"""A column that the one table has and the other has not."""


@dataclass(frozen=True)
class Line:
    """A row of a table, by its line in the file, and what became of it.

    column is the one that differs, stated and found what the file and the trials say; words why it could not be held to
    any trial.
    """

    line: int
    metric: str
    dataset: str
    model: str
    outcome: Literal["same", "differs", "unchecked"]
    column: str = ""
    stated: str = ""
    found: str = ""
    words: str = ""


@dataclass(frozen=True)
class HeldTable:
    """What became of a table: a line for each row that holds, or that no trial is here for, and for each cell that
    differs; notes are about the table whole."""

    path: Path
    results: Path
    lines: Sequence[Line]
    notes: Sequence[str]

    def count(self, outcome: str) -> int:
        """Return how many rows have an outcome."""
        return len({line.line for line in self.lines if line.outcome == outcome})

    @property
    def holds(self) -> bool:
        """Return whether every row is what the trials give, and there are some."""
        return bool(self.lines) and all(line.outcome == "same" for line in self.lines)


def held(path: Path, results: Path | None) -> HeldTable:
    """Return a table held to a results folder: the one given, else the one it lies in, else results.

    Raises StoreError for what is no such table, or where there are no results; RequestError for another table.
    """
    root = results or (path.absolute().parent if (path.absolute().parent / "trials").is_dir() else Path("results"))
    stated = read_csv(path)
    kind = _kind(path, list(stated.columns))
    store = Store(root)
    store.check_readable()
    collected = collect(store)
    given = frames.trials(collected.rows) if kind == "trials.csv" else frames.leaderboard(boards(collected.rows))
    known: dict[tuple[Cell, ...], dict[str, Cell]] = {_key(row, kind): row for row in cells.records(given)}
    rows = cells.records(stated)
    lines = [
        line for number, row in enumerate(rows, 2) for line in _held(number, row, known.get(_key(row, kind)), root)
    ]
    unread = [f"not read: {problem}" for problem in collected.damaged]
    return HeldTable(
        path, root, lines, [*_notes(rows, known, kind, list(stated.columns), list(given.columns)), *unread]
    )


def _kind(path: Path, columns: Sequence[str]) -> str:
    """Return which table has these columns. Raises RequestError where none of ours does."""
    for kind, keys in KEYS.items():
        if {TELLS[kind], *keys} <= set(columns):
            return kind
    raise RequestError(
        f"{printable(path)} is no leaderboard.csv or trials.csv of genbench: expected the columns "
        f"{', '.join(KEYS['leaderboard.csv'])}, mean, or {', '.join(KEYS['trials.csv'])}, value"
    )


def _key(row: Mapping[str, Cell], kind: str) -> tuple[Cell, ...]:
    return tuple(row[name] for name in KEYS[kind])


def _held(number: int, row: Mapping[str, Cell], found: Mapping[str, Cell] | None, root: Path) -> Iterator[Line]:
    """Yield what became of a row."""
    metric, dataset, model = (printable(row.get(name) or "", 200) for name in ("metric", "dataset", "model"))
    same = Line(number, metric, dataset, model, "same")
    if found is None:
        published = "a published number, which no trial shows"
        why = published if row.get("kind") == "published" else f"its trials are not in {printable(root)}"
        yield replace(same, outcome="unchecked", words=why)
        return
    differing = [name for name in row if name in found and row[name] != found[name]]
    for name in differing:
        stated, given = (printable(_shown(each[name]), 200) for each in (row, found))
        yield replace(same, outcome="differs", column=name, stated=stated, found=given)
    if not differing:
        yield same


def _shown(value: Cell) -> str:
    """Return a cell in full precision; "nothing" for an empty one."""
    return "nothing" if value is None else value if isinstance(value, str) else repr(value)


def _notes(
    rows: Sequence[Mapping[str, Cell]],
    known: Mapping[tuple[Cell, ...], Mapping[str, Cell]],
    kind: str,
    stated: Sequence[str],
    columns: Sequence[str],
) -> Iterator[str]:
    keys = [_key(row, kind) for row in rows]
    if left := len(known.keys() - set(keys)):
        yield f"{left:,} {'row is' if left == 1 else 'rows are'} not in it that the trials give."
    if twice := len(keys) - len(set(keys)):
        yield f"{twice:,} {'row stands' if twice == 1 else 'rows stand'} in it more than once."
    if missing := [name for name in columns if name not in stated]:
        yield f"It lacks the columns {', '.join(missing)}."
    if foreign := [name for name in stated if name not in columns]:
        yield printable(f"Not held to anything: its columns {', '.join(foreign)}.", 500)
