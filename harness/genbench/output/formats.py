"""The formats that tables are exported in, by name."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from genbench.errors import unknown
from genbench.output.blocks import Block
from genbench.output.tables_csv import to_csv
from genbench.output.tables_json import to_json
from genbench.output.tables_latex import in_latex, to_latex
from genbench.output.tables_markdown import in_markdown, to_markdown

FORMATS: Mapping[str, Callable[[pd.DataFrame], str]] = MappingProxyType(
    {"csv": to_csv, "markdown": to_markdown, "latex": to_latex, "json": to_json}
)

DOCUMENTS: Mapping[str, Callable[[Sequence[Block]], str]] = MappingProxyType(
    {"markdown": in_markdown, "latex": in_latex}
)
"""The formats that are to be read, and hold what a reader needs; the others hold every column."""


def export(frame: pd.DataFrame, form: str, shown: Sequence[Block] | None = None) -> str:
    """Return a table as text in a format. Raises RequestError for a format that is none of FORMATS.

    csv and json hold every column of any data frame; markdown and latex show blocks, those of a leaderboard by default.
    """
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    if form in DOCUMENTS and shown is not None:
        return DOCUMENTS[form](shown)
    return FORMATS[form](frame)
