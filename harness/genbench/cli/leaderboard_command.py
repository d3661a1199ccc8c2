"""genbench leaderboard: the ranked tables of stored results, printed or exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli import exports, stray_words
from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stderr_console
from genbench.ranking import claims, frames
from genbench.ranking.board import Board
from genbench.ranking.capabilities import capabilities
from genbench.ranking.claims import Claim, Family
from genbench.ranking.many_datasets import many_datasets
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
@click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="These metrics only.")
@click.option("--datasets", "--dataset", multiple=True, metavar="NAMES", help="These datasets only.")
@click.option(
    "--against", multiple=True, metavar="CLAIMS", help="Published numbers to hold ours against: goodfellow2014."
)
def command(
    results: tuple[Path, ...],
    form: str | None,
    what: str,
    output: Path | None,
    metrics: tuple[str, ...],
    datasets: tuple[str, ...],
    against: tuple[str, ...],
) -> int:
    """Print the tables of RESULTS folders (default: results). Scores of different protocols never share a table."""
    stray_words.check_words([str(folder) for folder in results if not folder.exists()])
    form = exports.chosen(form, output)
    if what == "verdicts" and not against:
        raise RequestError("--table verdicts without published numbers; expected --against too, as in goodfellow2014")
    sources = spec.split_all(against)
    found, collected = stored.read(results or (Path("results"),), published := stored.published(sources))
    for line in (*(f"not read: {problem}" for problem in collected.damaged), *collected.notes):
        stderr_console().print(line, soft_wrap=True)
    boards = [b for b in found if _wanted(b.metric.label, metrics) and _wanted(b.dataset, datasets)]
    if not boards:
        raise _nothing(found, (*metrics, *datasets))
    if what == "datasets" and not many_datasets(boards):
        raise RequestError("--table datasets: no metric has scores on several datasets; expected two or more")
    compared = [c for c in published if _named(c.metric, metrics) and _named(c.dataset, datasets)]
    tables = Tables(what, boards, compared, claims.families(sources or DEFAULT_SOURCES))
    exports.put(exports.Shown(tables.printed, tables.documents, tables.frame), form, output)
    return 1 if collected.damaged else 0


def _nothing(found: Sequence[Board], asked: Sequence[str]) -> RequestError:
    """Return the error for what was asked for and is not there, with what is."""
    if not found:
        return RequestError("no scores in these results; expected at least one. To make some: genbench run")
    there = ", ".join(sorted({label for board in found for label in (board.metric.label, board.dataset)}))
    return RequestError(f"no scores for {printable(', '.join(asked))!r}; expected some of: {printable(there)}")


def _wanted(label: str, asked: tuple[str, ...]) -> bool:
    """Return whether a label, or its name alone, is among those asked for; all are where nothing is."""
    wanted = spec.split_all(asked)
    return not wanted or label in wanted or spec.plain(label) in wanted


def _named(label: str, asked: tuple[str, ...]) -> bool:
    """Return whether something of a label's name is among those asked for, with whatever options; or nothing is."""
    wanted = set(map(spec.plain, spec.split_all(asked)))
    return not wanted or spec.plain(label) in wanted


@dataclass(frozen=True)
class Tables:
    """What was asked for: boards with the verdicts on published numbers, all boards in one, or another table."""

    what: str
    boards: Sequence[Board]
    claims: Sequence[Claim]
    families: Sequence[Family]

    def printed(self) -> list[Table]:
        """Return tables as for a terminal."""
        from genbench.output import board_table

        shown = board_table.tables(self.boards) if self.what == "scores" else []
        return [*shown, *self._beside()]

    def documents(self) -> list[Table]:
        """Return tables as for a document: scores with the columns that a paper needs."""
        from genbench.output import board_documents

        shown = board_documents.tables(self.boards) if self.what == "scores" else []
        return [*shown, *self._beside()]

    def _beside(self) -> list[Table]:
        """Return what is shown beside boards, or without them."""
        from genbench.output import capabilities_table, claims_table, many_datasets_table, overview_table

        if self.what == "overview":
            return overview_table.tables(overviews(self.boards))
        if self.what == "datasets":
            return many_datasets_table.tables(many_datasets(self.boards))
        if self.what == "capabilities":
            return capabilities_table.tables(capabilities(self.boards, self.families), self.families)
        return claims_table.tables(verdicts(self.boards, self.claims))

    def frame(self) -> pd.DataFrame:
        """Return what was asked for in full precision."""
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
