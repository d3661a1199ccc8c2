"""Tables in LaTeX, for the package booktabs."""

import re
from collections.abc import Iterable, Sequence

from genbench.output.numbers import MISSING
from genbench.output.tables import Column, Row, Table

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


def to_latex(tables: Sequence[Table]) -> str:
    """Return each table for a document in UTF-8. A row whose rank can only be 1 is bold.

    The document needs booktabs, and for letters that are not Latin an engine and a font that have them.
    """
    written = [_table(table) for table in tables]
    return "\n".join(["% In the preamble: \\usepackage{booktabs}\n", *written]) if written else ""


def escape(text: str) -> str:
    """Return text that LaTeX sets as it is. Hyphens in a row are kept from becoming a dash."""
    return "-{}".join(part.translate(_CHARACTERS) for part in _HYPHENS.split(text))


def _table(table: Table) -> str:
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape('. '.join([table.title, ' '.join(table.caption)]))}}}",
        rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in table.columns)}}}",
        r"\toprule",
        _line(escape(column.head) for column in table.columns),
        r"\midrule",
        *(_row(row, table.columns) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(row: Row, columns: Sequence[Column]) -> str:
    cells = [
        _number(cell) if column.right or cell == MISSING else escape(cell)
        for cell, column in zip(row.cells, columns, strict=True)
    ]
    return _line(rf"\textbf{{{cell}}}" for cell in cells) if row.best else _line(cells)


def _number(cell: str) -> str:
    """Return a cell of numbers, with real minus signs, and dashes for ranges and for what is missing."""
    return escape(_DASH.sub("–", _MINUS.sub("−", cell)))


def _line(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"
