"""CSV that loses nothing and runs nothing: RFC 4180, full precision, and no cell that a spreadsheet would compute."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from genbench.errors import StoreError, printable
from genbench.files import opened
from genbench.output.cells import HOLDS, Cell, columns
from genbench.ranking.columns import DTYPES, Holds

_RUNS = re.compile(r"'*\s*[=+\-@＝＋－＠]|'*[\t\r\n]")
"""The start of a text that a spreadsheet would compute, or such a text after it was made harmless."""

_EXPECTED: Mapping[Holds, str] = {"count": "a whole number", "number": "a number", "flag": "true or false"}
_READ: Mapping[Holds, Callable[[str], Cell]] = {
    "text": lambda cell: cell[1:] if cell.startswith("'") and _RUNS.match(cell) else cell,
    "count": int,
    "number": float,
    "flag": {"true": True, "false": False}.__getitem__,
}


def to_csv(frame: pd.DataFrame) -> str:
    """Return a data frame as CSV with a header, lines ending in CR LF, columns and rows in the frame's order.

    Numbers are written so that they read back to the last bit, true and false in words; missing cells, and empty
    texts, are empty. A text that starts like a formula gets an apostrophe in front.
    """
    cells = columns(frame)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(map(_cell, cells))
    writer.writerows(map(_cell, row) for row in zip(*cells.values(), strict=True))
    return out.getvalue()


def read_csv(path: Path) -> pd.DataFrame:
    """Return the data frame of a file written from `to_csv`, with nullable columns: empty cells are missing.

    Columns that are not genbench's hold text. No text is taken for a missing value, whatever it says. Raises
    StoreError for a file that cannot be read or is no such table.
    """
    try:
        with io.TextIOWrapper(opened(path), "utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
    except OSError as error:
        raise StoreError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise StoreError(f"{printable(path)} is not a table as CSV in UTF-8: {printable(error)}") from error
    return _frame(path, [str(_READ["text"](name)) for name in header], rows)


def _cell(value: Cell) -> str:
    """Return a cell's text, without the quotes that CSV may need."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}" if _RUNS.match(value) else value
    return repr(value)


def _frame(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise StoreError(f"{printable(path)}, row {line}: {len(row)} cells, expected {len(header)}")
    if len(set(header)) < len(header):
        raise StoreError(f"{printable(path)}: a column name comes twice")
    return pd.DataFrame({name: _column(path, name, [row[i] for row in rows]) for i, name in enumerate(header)})


def _column(path: Path, name: str, cells: Iterable[str]) -> pd.Series:
    holds = HOLDS.get(name, "text")
    values: list[Cell] = []
    for line, cell in enumerate(cells, 2):
        try:
            values.append(_READ[holds](cell) if cell else None)
        except (ValueError, KeyError) as error:
            where = f"{printable(path)}, row {line}, column {printable(name)}"
            raise StoreError(f"{where}: {printable(cell)!r}, expected {_EXPECTED[holds]}") from error
    return pd.Series(values, dtype=DTYPES[holds])
