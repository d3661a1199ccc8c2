"""A report from boards: its contents put together, and the page of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from genbench.errors import printable
from genbench.figures import critical_difference
from genbench.html_report import rendering
from genbench.html_report.board_part import board_part
from genbench.html_report.contents import AcrossPart, Contents, DatasetPart
from genbench.html_report.figures_part import figures_part
from genbench.html_report.inline_svg import inline
from genbench.html_report.origins_part import origins_part
from genbench.html_report.overview_part import overview_part
from genbench.html_report.places import anchor
from genbench.html_report.samples_part import samples_part
from genbench.html_report.stored_trials import StoredTrials
from genbench.output import captions, claims_table, conclusions, many_datasets_table, tables_html
from genbench.output.board_table import on_validation
from genbench.output.names import metrics
from genbench.ranking.board import Board
from genbench.ranking.many_datasets import many_datasets
from genbench.ranking.overview import Overview, overviews
from genbench.ranking.verdicts import Verdict


def build(
    title: str, boards: Sequence[Board], stored: StoredTrials, verdicts: Sequence[Verdict], problems: Sequence[str]
) -> str:
    """Return the page of boards and the trials behind them, with verdicts on published numbers.

    problems are what could not be read.
    """
    return rendering.html(
        Contents(
            printable(title),
            _made_of(boards),
            [printable(problem, 600) for problem in problems],
            [_dataset(overview, stored) for overview in overviews(boards)],
            _across(boards),
            Markup(tables_html.to_html(claims_table.tables(verdicts))),  # escaped there
        )
    )


def _dataset(overview: Overview, stored: StoredTrials) -> DatasetPart:
    return DatasetPart(
        anchor("dataset", overview.dataset, overview.target),
        printable(f"{overview.dataset}{on_validation(overview.target)}"),
        conclusions.conclusions(overview),
        list(dict.fromkeys(_cautions(overview))),
        overview_part(overview, stored),
        [board_part(board, name) for board, name in zip(overview.boards, metrics(overview.boards), strict=True)],
        samples_part(overview, stored),
        figures_part(overview, stored),
        origins_part(overview, stored),
    )


def _cautions(overview: Overview) -> Iterator[str]:
    """Yield what warns of the boards, each with the metric that it is about."""
    for name, board in zip(metrics(overview.boards), overview.boards, strict=True):
        for caution in captions.cautions(board):
            yield printable(f"{name}: {caution}", 1000)


def _across(boards: Sequence[Board]) -> list[AcrossPart]:
    """Return what several datasets say together, by each metric that they share."""
    found = []
    for many in many_datasets(boards):
        table = many_datasets_table.tables([many])[0]
        place = anchor("across", many.metric.label, many.target, *many.datasets)
        diagram = inline(critical_difference.draw(many), place, table.title) if many.test else None
        found.append(AcrossPart(table.title, Markup(tables_html.to_html([table])), diagram))  # escaped there
    return found


def _made_of(boards: Sequence[Board]) -> str:
    scores = [score for board in boards for row in board.rows for score in row.scores]
    trials = {score.trial.id for score in scores}
    versions = sorted({str(score.trial.environment.get("genbench", "?")) for score in scores})
    return printable(f"{len(trials):,} trials, {len(scores):,} scores, made by genbench {', '.join(versions)}")
