"""What a trial logged, as lines of JSON: of its fit one for each epoch of a loop, of chains one for each batch."""

from __future__ import annotations

import json
from collections.abc import Sequence

from genbench.store import layout
from genbench.store.bounds import MOST

LOG = layout.LOG

PLACE = ("loop", "epoch", "step")
"""What of a line says where in training it is; the rest are means of what was logged."""


def parsed(lines: Sequence[str]) -> list[dict[str, float]]:
    """Return what lines of a log hold. Raises ValueError for what is no line of one."""
    values = [json.loads(line) for line in lines]
    for value in values:
        numbers = isinstance(value, dict) and all(_is_number(x) for x in value.values())
        if not numbers or not isinstance(value.get("step"), int):
            raise ValueError(f"a line of the log is {value!r}; expected numbers by name, among them step")
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < MOST)
