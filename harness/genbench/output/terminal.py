"""Blocks printed as tables for a terminal, in the one style of all tables."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genbench.output.blocks import Block

RULES = box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n")


def print_blocks(blocks: Sequence[Block], console: Console) -> None:
    """Print each block with its title and caption; cells that are too long are folded."""
    for block in blocks:
        console.print(Text(block.title, style="bold"))
        table = empty_table()
        for head, right in zip(block.heads, block.right, strict=True):
            table.add_column(head, justify="right" if right else "left", overflow="fold")
        for line in block.lines:
            table.add_row(*map(Text, line.cells))
        console.print(table)
        print_caption(block.caption, console)
        console.print()


def print_caption(sentences: Sequence[str], console: Console) -> None:
    """Print sentences, each from a line of its own, none wider than the terminal."""
    for sentence in sentences:
        for part in textwrap.wrap(sentence, console.width - 1):
            console.print(Text(f" {part}"))


def empty_table() -> Table:
    """Return a table without columns in the one style of all tables."""
    return Table(box=RULES, show_edge=False, header_style="", padding=(0, 1), collapse_padding=True, pad_edge=False)
