"""Tables as blocks of text, and a leaderboard as one per metric, protocol and dataset: what exports print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.cells import records
from genbench.ranking.columns import LEADERBOARD

HEADS = ("rank", "model", "mean ± se", "95% interval", "seeds", "samples are")
RIGHT = (True, False, True, True, True, False)
"""Which columns are set flush right."""

LATER = {"stderr_metric", "extras"}
"""Columns that a leaderboard written before there were any of them lacks."""

_LONGEST = 2000
"""Characters of a foreign text that a table shows."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A row's cells, in the order of its block's heads; best if its rank can only be 1."""

    cells: tuple[str, ...]
    best: bool = False


@dataclass(frozen=True)
class Block:
    """A table of rows that may be compared, its title, and the sentences of its caption.

    right says which columns are set flush right.
    """

    title: str
    lines: Sequence[Line]
    caption: Sequence[str]
    heads: Sequence[str] = HEADS
    right: Sequence[bool] = RIGHT


def blocks(frame: pd.DataFrame) -> list[Block]:
    """Return the blocks of a leaderboard, and the rows in each, in the frame's order.

    Published numbers whose protocol has no id share a block where they differ from ours in the same way. Raises
    ValueError for a frame without the columns that leaderboard.csv always had.
    """
    if missing := [name for name in LEADERBOARD if name not in frame and name not in LATER]:
        raise ValueError(f"no column {', '.join(missing)}: expected a leaderboard")
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records(frame):
        protocol = record["protocol_id"] or ("unknown", record["protocol"])
        groups.setdefault((record["metric"], protocol, record["dataset"]), []).append(record)
    return [Block(_title(rows[0]), [_line(row) for row in rows], list(_caption(rows))) for rows in groups.values()]


def _title(record: Record) -> str:
    direction = {True: "higher is better", False: "lower is better"}.get(record["higher_is_better"])
    facts = [f"{_text(record['metric'])} on {_text(record['dataset'])}", _text(record["unit"]), direction]
    return ", ".join(fact for fact in facts if fact)


def _line(record: Record) -> Line:
    error = record["stderr"]
    cells = (
        numbers.ranks(record["rank_low"], record["rank_high"]),
        _model(record),
        _mean(record),
        numbers.interval(record["ci_low"], record["ci_high"], error),
        numbers.seeds(record["seeds_done"], record["seeds_planned"]),
        _text(record["samples_are"]) or numbers.MISSING,
    )
    return Line(cells, best=record["rank_low"] == record["rank_high"] == 1)


def _model(record: Record) -> str:
    """Return the model's name, and behind it why it takes no part in the ranking, if that is its kind."""
    name, kind = _text(record["model"]), record["kind"]
    if kind == "published":
        return f"{name} ({', '.join(filter(None, ['published', _text(record['source'])]))})"
    return name if kind == "ours" else f"{name} ({_text(kind)})"


def _mean(record: Record) -> str:
    if record["kind"] == "published" and record["mean"] is not None:
        return numbers.as_published(record["mean"], _published_error(record))
    return numbers.mean_and_error(record["mean"], record["stderr"])


def _published_error(record: Record) -> float | None:
    error: float | None = record["stderr"] if record["stderr"] is not None else record["stderr_examples"]
    return error


def _caption(rows: Sequence[Record]) -> Iterator[str]:
    first = rows[0]
    words = _text(first["protocol"])
    if first["protocol_id"]:
        yield f"Protocol {_text(first['protocol_id'])}{': ' if words else ''}{words}."
    else:
        yield f"Protocol not known in full{': ' if words else ''}{words}."
    published = [row for row in rows if row["kind"] == "published"]
    if over := {_over(row) for row in rows if row not in published and row["stderr"] is not None}:
        interval = "Student's t, on the logit scale for scores with bounds"
        yield f"±: standard error over {' or '.join(sorted(over))}; interval: {interval}."
    if over := {_over(row) for row in published if _published_error(row) is not None}:
        yield f"± of published rows: over {' or '.join(sorted(over))}."
    if any(row["rank_low"] is None for row in rows):
        yield "Without a rank (-): published and reference rows, and models with fewer than two seeds."


def _over(record: Record) -> str:
    """Return what the error that is shown was taken over."""
    if record["stderr"] is None:
        return "test examples"
    return {"seeds": "training seeds"}.get(record["error_over"]) or _text(record["error_over"]) or "what is not known"


def _text(value: object) -> str:
    return "" if value is None else printable(value, _LONGEST)
