"""A data frame as a JSON list of its rows."""

import json
import math

import pandas as pd

from genbench.output.cells import Cell, records


def to_json(frame: pd.DataFrame) -> str:
    """Return a list of objects with the columns as keys, in the frame's order; null for what is missing or infinite."""
    rows = [{name: _finite(value) for name, value in record.items()} for record in records(frame)]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value
