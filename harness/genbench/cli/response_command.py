"""genbench response: what a metric can see, and what it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli.complaints import DEBUG, WRONG_USE, complain, one_line
from genbench.cli.paths import path
from genbench.defaults import DATASET
from genbench.errors import GenbenchError, RequestError, printable
from genbench.output.console import stderr_console, stdout_console
from genbench.registry import spec

if TYPE_CHECKING:
    from genbench.response.measure import MetricResponse


@click.command("response")
@click.argument("metrics", nargs=-1, metavar="METRIC...")
@click.option("--dataset", "-d", default=DATASET, show_default=True, help="Real images to damage.")
@click.option(
    "--draws", type=click.IntRange(2, 100), default=3, show_default=True, help="Sets of images for each level."
)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--output", "-o", type=path, default="response", show_default=True, help="Folder for tables (CSV) and pictures."
)
@click.option("--debug", is_flag=True, help=DEBUG)
def command(metrics: tuple[str, ...], dataset: str, draws: int, device: str, output: Path, debug: bool) -> int:
    """Score real images that were damaged in known ways: noise, blur, dropped classes, copies of training images.

    Prints a table for each METRIC, and writes it as CSV beside a picture. A damage that leaves a metric where it was is
    one that it cannot see. A METRIC that cannot score these images is named and left out; the exit code is then 2.
    """
    chosen = spec.split_all(metrics)
    if not chosen:
        raise RequestError(
            "no metric given; expected names, as in: genbench response parzen. See: genbench list metrics"
        )
    from genbench.response.measure import measure
    from genbench.trial.environment import resolve_device

    where = str(resolve_device(device))
    reported: set[str] = set()
    for metric in chosen:
        try:
            found = measure(metric, dataset, draws, where)
        except GenbenchError as error:
            if debug:
                raise
            _report(one_line(error), reported)
        else:
            _write(found, output / f"{_slug(found.metric)}-{_slug(dataset)}")
    return WRONG_USE if reported else 0


def _report(message: str, reported: set[str]) -> None:
    """Complain, once: data that cannot be had are the same to every metric."""
    if message not in reported:
        complain(message)
        reported.add(message)


def _write(found: MetricResponse, stem: Path) -> None:
    """Print a response as a table, and write it as CSV and as a picture."""
    from genbench.figures import canvas
    from genbench.files import write_text
    from genbench.response import picture, table

    stdout_console().print(table.table(found))
    write_text(stem.with_suffix(".csv"), table.to_csv(found))
    canvas.save(picture.draw(found), stem.with_suffix(".png"))
    stderr_console().print(printable(f"{stem}.csv, {stem}.png", 600), soft_wrap=True)


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")
