"""Tables printed for a terminal, in one style, with as many columns as it has room for."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal

from rich import box, table
from rich.console import Console
from rich.text import Text

from genbench.output.console import text_console
from genbench.output.tables import Row, Table

RULES = box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n")


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Print each table with its title and caption. Rows that are not ranked are dim, and those apart stand apart."""
    for each in tables:
        console.print(Text(each.title, style="bold"))
        for fitting in _blocks(each, console) if each.in_blocks else [_fitting(each, console)]:
            console.print(fitting)
            if each.in_blocks:
                console.print()
        if each.ruled:
            console.print(Text("─" * min(_width(fitting, console), console.width)))
        for sentence in each.caption:
            for part in textwrap.wrap(sentence, console.width - 1):
                console.print(Text(f" {part}"))
        console.print()


def as_text(tables: Sequence[Table], width: int = 80) -> str:
    """Return the printed tables as plain text of a width."""
    console, written = text_console(width)
    print_tables(tables, console)
    return "\n".join(line.rstrip() for line in written.getvalue().rstrip().splitlines())


def _fitting(whole: Table, console: Console) -> table.Table:
    """Return a table without the columns that give way, as far as the terminal lacks room for them."""
    places = list(range(len(whole.columns)))
    while True:
        drawn = _drawn(whole, places)
        last = max(places, key=lambda place: whole.columns[place].gives_way)
        if _width(drawn, console) <= console.width or not whole.columns[last].gives_way:
            return drawn
        places.remove(last)


def _blocks(whole: Table, console: Console) -> list[table.Table]:
    """Return a table in as many parts as the terminal's width asks for, each with the first column."""
    parts: list[list[int]] = [[0]]
    for place in range(1, len(whole.columns)):
        fits = _width(_drawn(whole, [*parts[-1], place]), console) <= console.width
        if fits or parts[-1] == [0]:
            parts[-1].append(place)
        else:
            parts.append([0, place])
    return [_drawn(whole, places) for places in parts]


def _width(drawn: table.Table, console: Console) -> int:
    """Return how wide a table would be if there were room."""
    return console.measure(drawn, options=console.options.update(width=1000)).maximum


def _drawn(whole: Table, places: Sequence[int]) -> table.Table:
    """Return the columns at these places, as rich draws them."""
    drawn = table.Table(
        box=RULES, show_edge=False, header_style="", padding=(0, 1), collapse_padding=True, pad_edge=False
    )
    for column in (whole.columns[place] for place in places):
        align: Literal["left", "right"] = "right" if column.right else "left"
        drawn.add_column(column.head, justify=align, no_wrap=not column.wraps, overflow="fold")
    apart = False
    for row in whole.rows:
        if row.apart and not apart:
            drawn.add_section()
        apart = row.apart
        drawn.add_row(*(Text(row.cells[place]) for place in places), style=_style(row))
    return drawn


def _style(row: Row) -> str:
    return "dim italic" if row.apart else "dim" if row.aside else ""
