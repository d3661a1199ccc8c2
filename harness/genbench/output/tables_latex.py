"""Tables in LaTeX, for the package booktabs."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from genbench.output import latex_blocks
from genbench.output.numbers import MISSING
from genbench.output.tables import Column, Row, Table


def _command(letter: str) -> str:
    """Return the command of a Greek letter, by its name in Unicode."""
    name = unicodedata.name(letter).rpartition(" ")[2].lower().replace("lamda", "lambda")
    return name.capitalize() if letter.isupper() else name


_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"

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
    "²": "^2",
    "∞": r"\infty",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    **{letter: f"\\{_command(letter)}" for letter in _GREEK},
}
_CHARACTERS = _TEXT | {character: f"${command}$" for character, command in _MATHS.items()}

_PLAIN = re.compile("[\\x00-\\x7f¡-žȘșȚț‘’“”„†‡•‰€™]")
_LACKING = re.compile("[«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų]")
"""Letters that pdfLaTeX sets in any document, but for these, which its usual fonts lack."""

_OTHER = r"""% A letter that pdfLaTeX lacks: other engines set it, where the font has it; pdfLaTeX its number.
\providecommand{\otherletter}[2]{\ifdefined\Umathcode#1\else#2\fi}
"""
_HYPHENS = re.compile(r"-(?=-)")
_MINUS = re.compile(r"(?<![\w-])-(?=\d|inf)")
_DASH = re.compile(r"(?<=\d)-(?=\d)|^-$")

LONGEST_CAPTION = 1500
"""Letters of a caption: LaTeX first sets it in one line, which cannot be of any length. What is longer stands below."""


def to_latex(tables: Sequence[Table]) -> str:
    """Return each table for a document in UTF-8, of whatever engine. The document needs booktabs.

    A row whose rank can only be 1 is bold, and so are cells that are best in their columns. pdfLaTeX shows letters that
    it lacks, Chinese ones say, by their number.
    """
    written = "\n".join(map(_table, tables))
    if not written:
        return ""
    other = _OTHER if r"\otherletter" in written else ""
    return "\n".join(["% In the preamble: \\usepackage{booktabs}\n" + other, written])


def escape(text: str) -> str:
    """Return text that LaTeX sets as it is. Hyphens in a row are kept from becoming a dash."""
    return "-{}".join("".join(map(_character, part)) for part in _HYPHENS.split(text))


def _character(character: str) -> str:
    if character in _CHARACTERS:
        return _CHARACTERS[character]
    is_set = _PLAIN.fullmatch(character) and not _LACKING.fullmatch(character)
    return character if is_set else rf"\otherletter{{{character}}}{{U+{ord(character):04X}}}"


def _table(table: Table) -> str:
    notes = " ".join(table.caption)
    caption = ". ".join([table.title, notes])
    is_short = _width(caption) <= LONGEST_CAPTION
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(caption if is_short else _cut(table.title))}}}",
        *_tabular(table),
        *([] if is_short else [rf"\par\smallskip\footnotesize\raggedright {escape(notes)}"]),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tabular(table: Table) -> list[str]:
    """Return the lines of rows and columns; of a table in blocks as many as fit side by side, the others below."""
    if not table.in_blocks:
        return _block(table, range(len(table.columns)))
    size, blocks = latex_blocks.fitted(table)
    written = "\n\\par\\medskip\n".join("\n".join(_block(table, places)) for places in blocks)
    return [*filter(None, [size]), written]


def _block(table: Table, places: Sequence[int]) -> list[str]:
    """Return the lines of some columns."""
    columns = [table.columns[place] for place in places]
    return [
        rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in columns)}}}",
        r"\toprule",
        _line(map(_head, columns)),
        r"\midrule",
        *_body(table, places),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _width(text: str) -> int:
    """Return how many letters wide a text is at most, as pdfLaTeX sets it: one that it lacks is a number."""
    return sum(len("U+1F600") if r"\otherletter" in _character(letter) else 1 for letter in text)


def _cut(title: str) -> str:
    """Return as much of a title as a caption can hold."""
    widths = itertools.accumulate(map(_width, title))
    return title[: sum(width <= LONGEST_CAPTION for width in widths)]


def _head(column: Column) -> str:
    """Return a column's head, a long one in several lines."""
    lines = latex_blocks.head_lines(column)
    if len(lines) < 2:
        return escape(column.head)
    stacked = r" \\ ".join(map(escape, lines))
    return rf"\shortstack[{'r' if column.right else 'l'}]{{{stacked}}}"


def _body(table: Table, places: Sequence[int]) -> Iterator[str]:
    """Yield the lines of the rows, with a rule before those that take no part in the ranking."""
    before: Row | None = None
    for row in table.rows:
        if before is not None and row.aside and not before.aside:
            yield r"\midrule"
        before = row
        yield _row(row, table.columns, places)


def _row(row: Row, columns: Sequence[Column], places: Sequence[int]) -> str:
    cells = [_cell(row, columns[place], place) for place in places]
    bold = range(len(columns)) if row.best else row.best_cells
    return _line(rf"\textbf{{{cell}}}" if place in bold else cell for place, cell in zip(places, cells, strict=True))


def _cell(row: Row, column: Column, place: int) -> str:
    cell = row.cells[place]
    return _number(cell) if column.right or cell == MISSING else escape(cell)


def _number(cell: str) -> str:
    """Return a cell of numbers, with real minus signs, and dashes for ranges and for what is missing."""
    return escape(_DASH.sub("–", _MINUS.sub("−", cell)))


def _line(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"
