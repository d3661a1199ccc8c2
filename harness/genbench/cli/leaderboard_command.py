"""genbench leaderboard: the ranked tables of stored results, printed or exported."""

from __future__ import annotations

from pathlib import Path

import click

from genbench import bench
from genbench.errors import RequestError
from genbench.files import write_text
from genbench.output.console import stderr_console, stdout_console
from genbench.ranking import frames
from genbench.ranking.board import Board
from genbench.registry import names


@click.command("leaderboard")
@click.argument("results", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "markdown", "latex", "json"]),
    default="table",
    show_default=True,
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write there instead of printing."
)
@click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="These metrics only.")
@click.option("--datasets", "--dataset", multiple=True, metavar="NAMES", help="These datasets only.")
@click.option("--against", multiple=True, metavar="CLAIMS", help="Published numbers to show: goodfellow2014.")
def command(
    results: tuple[Path, ...],
    form: str,
    output: Path | None,
    metrics: tuple[str, ...],
    datasets: tuple[str, ...],
    against: tuple[str, ...],
) -> int:
    """Print the tables of RESULTS folders (default: results). Scores of different protocols never share a table."""
    found, damaged = bench.stored_boards(
        results or (Path("results"),), [part for text in against for part in names.split(text)]
    )
    boards = [b for b in found if _wanted(b.metric["label"], metrics) and _wanted(b.dataset, datasets)]
    if not boards:
        raise RequestError("no scores there for what was asked; without --metric and --dataset, all are shown")
    for problem in damaged:
        stderr_console().print(f"not read: {problem}", soft_wrap=True)
    if form == "table" and output is None:
        _print(boards)
    else:
        text = _text(boards, form)
        if output is None:
            click.echo(text.encode(), nl=False)
        else:
            write_text(output, text)
    return 1 if damaged else 0


def _wanted(label: str, asked: tuple[str, ...]) -> bool:
    """Return whether a label, or its name alone, is among those asked for; all are where nothing is."""
    wanted = [part for text in asked for part in names.split(text)]
    return not wanted or label in wanted or names.parse(label).name in wanted


def _print(boards: list[Board]) -> None:
    from genbench.output.board import print_boards

    print_boards(boards, stdout_console())


def _text(boards: list[Board], form: str) -> str:
    from genbench.output import formats

    return formats.export(frames.leaderboard(boards), form)
