"""The formats that a leaderboard is exported in, by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pandas as pd

from genbench.errors import unknown
from genbench.output.tables_csv import to_csv
from genbench.output.tables_json import to_json
from genbench.output.tables_latex import to_latex
from genbench.output.tables_markdown import to_markdown

FORMATS: Mapping[str, Callable[[pd.DataFrame], str]] = MappingProxyType(
    {"csv": to_csv, "markdown": to_markdown, "latex": to_latex, "json": to_json}
)


def export(frame: pd.DataFrame, form: str) -> str:
    """Return a leaderboard as text in a format. Raises RequestError for a format that is none of FORMATS.

    csv and json hold every column of any data frame; markdown and latex what a reader of a table needs.
    """
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    return FORMATS[form](frame)
