"""The responses of a metric as a table for people, and as CSV."""

from __future__ import annotations

import csv
import io

from rich.table import Table
from rich.text import Text

from genbench.errors import printable
from genbench.output import numbers
from genbench.response.measure import MetricResponse, Response

HEADS = ("metric", "dataset", "damage", "level", "unit", "samples", "draws", "mean", "sd", "reason", "protocol")


def table(measured: MetricResponse) -> Table:
    """Return a row for each level of each damage."""
    better = "higher" if measured.higher_is_better else "lower"
    title = f"{measured.metric} of damaged images of {measured.dataset}, {measured.unit}, {better} is better"
    made = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), header_style="")
    made.caption, made.caption_justify, made.caption_style = f"{measured.protocol}.", "left", ""
    for head, justify in (("damage", "left"), ("level", "right"), ("samples", "right"), ("mean ± sd", "right")):
        made.add_column(head, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    made.add_column("")
    before = ""
    for response in measured.responses:
        if response.damage != before and before:
            made.add_row()
        made.add_row(*(Text(printable(cell, 300)) for cell in _cells(response, response.damage != before)))
        before = response.damage
    return made


def _cells(response: Response, is_first: bool) -> tuple[str, ...]:
    value = numbers.mean_and_error(response.mean, response.sd)
    unit = response.unit if is_first else ""
    return (
        response.damage if is_first else "",
        numbers.short(response.level),
        numbers.count(response.samples),
        value,
        response.reason or unit,
    )


def to_csv(measured: MetricResponse) -> str:
    """Return the responses as CSV, in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADS)
    for r in measured.responses:
        head = [measured.metric, measured.dataset, r.damage, r.level, r.unit, r.samples, len(r.values)]
        writer.writerow(
            [
                *head,
                *("" if number is None else repr(number) for number in (r.mean, r.sd)),
                r.reason,
                measured.protocol,
            ]
        )
    return text.getvalue()
