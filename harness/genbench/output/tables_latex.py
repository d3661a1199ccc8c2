"""A leaderboard, or any blocks, as LaTeX tables for the package booktabs."""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from genbench.output.blocks import Block, Line, blocks
from genbench.output.numbers import MISSING

_TEXT = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\`{}",
    '"': r"{\char34}",  # babel makes a plain one a command
    "[": "{[}",  # after the end of a row a plain one starts an option
    "]": "{]}",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
}
_MATHS = {
    "±": r"\pm",
    "×": r"\times",
    "·": r"\cdot",
    "−": "-",
    "≤": r"\leq",
    "≥": r"\geq",
    "√": r"\surd",
    "σ": r"\sigma",
    "μ": r"\mu",
    "²": "^2",
    "∞": r"\infty",
}
_CHARACTERS = str.maketrans(_TEXT | {character: f"${command}$" for character, command in _MATHS.items()})
_HYPHENS = re.compile(r"-(?=-)")
_MINUS = re.compile(r"(?<![\w-])-(?=\d|inf)")
_DASH = re.compile(r"(?<=\d)-(?=\d)|^-$")


def to_latex(frame: pd.DataFrame) -> str:
    """Return a table for each metric, protocol and dataset of a leaderboard, for a document in UTF-8.

    A row whose rank can only be 1 is bold. The document needs booktabs, and for letters that are not Latin an engine
    and a font that have them.
    """
    return in_latex(blocks(frame))


def in_latex(several: Sequence[Block]) -> str:
    """Return a table for each block, as `to_latex` does."""
    tables = [_block(block) for block in several]
    return "\n".join(["% In the preamble: \\usepackage{booktabs}\n", *tables]) if tables else ""


def escape(text: str) -> str:
    """Return text that LaTeX sets as it is. Hyphens in a row are kept from becoming a dash."""
    return "-{}".join(part.translate(_CHARACTERS) for part in _HYPHENS.split(text))


def _block(block: Block) -> str:
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape('. '.join([block.title, ' '.join(block.caption)]))}}}",
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in block.right)}}}",
        r"\toprule",
        _row(map(escape, block.heads)),
        r"\midrule",
        *(_line(line, block.right) for line in block.lines),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(line: Line, flush_right: Sequence[bool]) -> str:
    numeric = [right or cell == MISSING for cell, right in zip(line.cells, flush_right, strict=True)]
    cells = [_number(cell) if is_one else escape(cell) for cell, is_one in zip(line.cells, numeric, strict=True)]
    return _row(rf"\textbf{{{cell}}}" for cell in cells) if line.best else _row(cells)


def _number(cell: str) -> str:
    """Return a cell of numbers, with real minus signs, and dashes for ranges and for what is missing."""
    return escape(_DASH.sub("–", _MINUS.sub("−", cell)))


def _row(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"
