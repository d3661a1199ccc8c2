"""genbench leaderboard: the ranked tables of stored results, printed or exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli import exports, narrowing, stray_words
from genbench.cli.paths import path
from genbench.errors import RequestError
from genbench.output.console import stderr_console
from genbench.ranking import claims, frames
from genbench.ranking.board import Board
from genbench.ranking.capabilities import capabilities
from genbench.ranking.claims import Claim, Family
from genbench.ranking.filters import Filter
from genbench.ranking.overview import overviews
from genbench.ranking.verdicts import verdicts
from genbench.registry import spec
from genbench.runs import stored

if TYPE_CHECKING:
    import pandas as pd

    from genbench.output.tables import Table

DEFAULT_SOURCES = ("goodfellow2014",)
"""Whose words on families of models stand in the table of capabilities, where no others are asked for."""


@click.command("leaderboard")
@click.argument("results", nargs=-1, type=path)
@exports.options
@click.option(
    "--table",
    "what",
    type=click.Choice(["scores", "overview", "verdicts", "capabilities", "datasets"]),
    default="scores",
    show_default=True,
    help="Scores; all metrics side by side; what became of published numbers; what models can do and take; "
    "ranks averaged over datasets.",
)
@narrowing.options
@click.option(
    "--against", multiple=True, metavar="CLAIMS", help="Published numbers to hold ours against: goodfellow2014."
)
def command(
    results: tuple[Path, ...],
    form: str | None,
    what: str,
    output: Path | None,
    wanted: Filter,
    against: tuple[str, ...],
) -> int:
    """Print the tables of RESULTS folders (default: results).

    Scores of different protocols never share a table, nor do those against test and validation images.
    """
    stray_words.check_words([str(folder) for folder in results if not folder.exists()])
    form = exports.chosen(form, output)
    if what == "verdicts" and not against:
        raise RequestError("--table verdicts without published numbers; expected --against too, as in goodfellow2014")
    sources = spec.split_all(against)
    found, collected = stored.read(results or (Path("results"),), published := stored.published(sources))
    for line in (*(f"not read: {problem}" for problem in collected.damaged), *collected.notes):
        stderr_console().print(line, soft_wrap=True)
    if not found:
        raise RequestError("no scores in these results; expected at least one. To make some: genbench run")
    boards = wanted.boards(found)
    if what == "datasets":
        _check_several(boards)
    tables = Tables(what, boards, wanted.claims(published), claims.families(sources or DEFAULT_SOURCES))
    exports.put(exports.Shown(tables.printed, tables.documents, tables.frame), form, output)
    return 1 if collected.damaged else 0


def _check_several(boards: Sequence[Board]) -> None:
    from genbench.ranking.many_datasets import many_datasets

    if not many_datasets(boards):
        raise RequestError("--table datasets: no metric has scores on several datasets; expected two or more")


@dataclass(frozen=True)
class Tables:
    """What was asked for: boards with the verdicts on published numbers, all boards in one, or another table."""

    what: str
    boards: Sequence[Board]
    claims: Sequence[Claim]
    families: Sequence[Family]

    def printed(self) -> list[Table]:
        """Return tables as for a terminal."""
        from genbench.output import board_table, overview_table

        if self.what == "overview":
            return overview_table.tables(overviews(self.boards))
        shown = board_table.tables(self.boards) if self.what == "scores" else []
        return [*shown, *self._beside()]

    def documents(self) -> list[Table]:
        """Return tables as for a document: with the columns, the names and the marks that a paper needs."""
        from genbench.output import board_documents, overview_documents

        if self.what == "overview":
            return overview_documents.tables(overviews(self.boards))
        shown = board_documents.tables(self.boards) if self.what == "scores" else []
        return [*shown, *self._beside()]

    def _beside(self) -> list[Table]:
        """Return what is shown beside boards, or without them."""
        from genbench.output import capabilities_table, claims_table, many_datasets_table
        from genbench.ranking.many_datasets import many_datasets

        if self.what == "datasets":
            return many_datasets_table.tables(many_datasets(self.boards))
        if self.what == "capabilities":
            return capabilities_table.tables(capabilities(self.boards, self.families), self.families)
        return claims_table.tables(verdicts(self.boards, self.claims))

    def frame(self) -> pd.DataFrame:
        """Return what was asked for in full precision."""
        from genbench.ranking.many_datasets import many_datasets

        match self.what:
            case "capabilities":
                return frames.capabilities(capabilities(self.boards, self.families))
            case "datasets":
                return frames.many_datasets(many_datasets(self.boards))
            case "overview":
                return frames.overview(overviews(self.boards))
            case "verdicts":
                return frames.verdicts(verdicts(self.boards, self.claims))
        return frames.leaderboard(self.boards)
