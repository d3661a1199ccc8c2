"""A leaderboard, or any blocks, as tables in GitHub's Markdown."""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from genbench.output.blocks import Block, blocks

_MARKUP = re.compile(r"([\\`*_\[\]<>|~#$&])")


def to_markdown(frame: pd.DataFrame) -> str:
    """Return a heading, a table and a caption for each metric, protocol and dataset of a leaderboard."""
    return in_markdown(blocks(frame))


def in_markdown(several: Sequence[Block]) -> str:
    """Return a heading, a table and a caption for each block."""
    return "\n".join(map(_block, several))


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in a table's cell too."""
    return _MARKUP.sub(r"\\\1", text)


def _block(block: Block) -> str:
    lines = [
        f"### {escape(block.title)}",
        "",
        _row(block.heads),
        _row("---:" if right else "---" for right in block.right),
        *(_row(map(escape, line.cells)) for line in block.lines),
        "",
        escape(" ".join(block.caption)),
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
