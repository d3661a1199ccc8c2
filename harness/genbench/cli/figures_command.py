"""genbench figures: pictures of stored trials."""

from __future__ import annotations

from pathlib import Path

import click

from genbench.cli.paths import path
from genbench.errors import printable
from genbench.figures.arrangement import FORMATS, Format, Layout, parse_grid
from genbench.figures.kinds import KINDS, parse_steps
from genbench.output.console import stderr_console, stdout_console
from genbench.registry import spec


@click.command("figures")
@click.argument("what", required=False, default="", metavar="[MODEL|TRIAL|FOLDER]")
@click.option("--results", type=path, metavar="FOLDER", default="results", show_default=True, help="Folder of results.")
@click.option("--output", "-o", type=path, metavar="FOLDER", help="Write there.  [default: RESULTS/figures]")
@click.option("--kinds", "--kind", multiple=True, metavar="NAMES", help=f"These only: {', '.join(KINDS)}.")
@click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAMES", help="Trials on these datasets only.")
@click.option(
    "--steps",
    metavar="STEPS",
    help="After so many updates, 0,200,1000,end: densities side by side, or rows of samples. Trains again up to there.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="png",
    show_default=True,
    help="Of the files; PDF has TrueType letters.",
)
@click.option(
    "--grid",
    metavar="ROWSxCOLUMNS",
    help="Rows and columns of images, where a kind leaves them free.  [default: each kind's own, 4x5 samples]",
)
@click.option("--no-titles", is_flag=True, help="Nothing above a figure: its caption says it.")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N.")
def command(
    what: str,
    results: Path,
    output: Path | None,
    kinds: tuple[str, ...],
    datasets: tuple[str, ...],
    steps: str | None,
    form: Format,
    grid: str | None,
    no_titles: bool,
    device: str,
) -> int:
    """Draw PNG or PDF files of stored trials: samples, walks, curves and what else a model is able to.

    MODEL is a label as in the tables, of which pictures show the least seed and curves all; TRIAL the id, or the first
    digits of it, or the folder of a trial; FOLDER a results folder, all of it. Exit code 1 where a figure failed.
    """
    from genbench.figures.drawing import draw

    failed = False
    at = parse_steps(steps) if steps is not None else []
    layout = Layout(None if grid is None else parse_grid(grid), not no_titles, form)
    for outcome in draw(what, results, output, spec.split_all(kinds), spec.split_all(datasets), device, at, layout):
        failed |= outcome.failed
        if outcome.path is None:
            stderr_console().print(printable(outcome.shows, 600), soft_wrap=True)
        else:
            stdout_console().print(printable(f"{outcome.path}: {outcome.shows}", 1000), soft_wrap=True)
    return 1 if failed else 0
