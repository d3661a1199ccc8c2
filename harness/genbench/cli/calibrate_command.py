"""genbench calibrate: what a metric can see, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import click

from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stderr_console, stdout_console
from genbench.registry import names


@click.command("calibrate")
@click.argument("metrics", nargs=-1, metavar="METRIC...")
@click.option("--dataset", "-d", default="digits", show_default=True, help="Real images to damage.")
@click.option(
    "--draws", type=click.IntRange(2, 100), default=3, show_default=True, help="Sets of images for each level."
)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--output", "-o", type=path, default="calibration", show_default=True, help="Folder for tables (CSV) and pictures."
)
def command(metrics: tuple[str, ...], dataset: str, draws: int, device: str, output: Path) -> int:
    """Score real images that were damaged in known ways: noise, blur, dropped classes, copies of training images.

    Prints a table for each METRIC, and writes it as CSV beside a picture. A damage that leaves a metric where it was is
    one that it cannot see.
    """
    chosen = [part for text in metrics for part in names.split(text)]
    if not chosen:
        raise RequestError(
            "no metric given; expected names, as in: genbench calibrate parzen. See: genbench list metrics"
        )
    from genbench.calibration import picture, table
    from genbench.calibration.response import calibrate
    from genbench.figures import canvas
    from genbench.files import write_text
    from genbench.trial.surroundings import resolve_device

    for metric in chosen:
        found = calibrate(metric, dataset, draws, str(resolve_device(device)))
        stdout_console().print(table.table(found))
        stem = output / f"{_slug(found.metric)}-{_slug(dataset)}"
        write_text(stem.with_suffix(".csv"), table.to_csv(found))
        canvas.save(picture.draw(found), stem.with_suffix(".png"))
        stderr_console().print(printable(f"{stem}.csv, {stem}.png", 600), soft_wrap=True)
    return 0


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")
