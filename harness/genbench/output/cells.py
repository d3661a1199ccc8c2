"""The cells of a data frame as plain Python values, by what their column holds."""

from __future__ import annotations

from typing import Any

import pandas as pd

from genbench.ranking.columns import TABLES, Holds

Cell = str | int | float | bool | None

HOLDS: dict[str, Holds] = {name: column.holds for table in TABLES for name, column in table.items()}
"""What each known column holds. Cells of other columns are taken as they are."""


def columns(frame: pd.DataFrame) -> dict[str, list[Cell]]:
    """Return the cells of each column, in the frame's order. Raises ValueError for a cell that is not one value."""
    return {str(name): [plain(value, HOLDS.get(str(name))) for value in frame[name].tolist()] for name in frame}


def records(frame: pd.DataFrame) -> list[dict[str, Cell]]:
    """Return the rows, each by column name."""
    cells = columns(frame)
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def plain(value: Any, holds: Holds | None = None) -> Cell:
    """Return a cell's value; None for whatever pandas calls missing.

    A count that pandas made a float, because another cell of its column is missing, is a whole number again; one that
    never was whole stays as it is.
    """
    if not pd.api.types.is_scalar(value):
        raise ValueError(f"cell {value!r}: expected a single value")
    if pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    match holds:
        case "flag":
            return bool(value)
        case "number":
            return float(value)
        case "count":
            return int(value) if value == int(value) else float(value)
        case "text":
            return str(value)
    return value if isinstance(value, str | int | float | bool) else str(value)
