"""genbench study: a page on which people tell real images from generated ones, and the scores of their answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli import exports
from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stdout_console
from genbench.registry import spec

if TYPE_CHECKING:
    from genbench.study.key import Key

PAGE = "study.html"
SUFFIX = ".html"


@click.group("study", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Ask people which images are real: make the page of a user study, score its answers."""


@command.command("make")
@click.argument("results", default="results", type=path)
@click.option("--output", "-o", type=path, metavar="FILE", default=PAGE, show_default=True, help="The page.")
@click.option("--models", "--model", "-m", multiple=True, metavar="NAMES", help="[default: all but references]")
@click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAME", help="Models trained on this dataset.")
@click.option(
    "--per-model", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Images of each model."
)
@click.option("--real", type=click.IntRange(1, 10_000), help="Real images.  [default: as many as generated]")
@click.option(
    "--practice",
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    help="Further images to begin with, told at once and not scored.",
)
@click.option(
    "--exposure",
    type=click.IntRange(0, 60_000),
    default=0,
    metavar="MILLISECONDS",
    help="Show each image so long, then a mask.  [default: until it is answered]",
)
@click.option("--feedback/--no-feedback", default=False, help="Tell after each answer.  [default: no]")
@click.option("--scale", type=click.IntRange(1, 1000), help="Screen pixels per pixel.  [default: 256 the longer side]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of choice and order.")
def make_command(
    results: Path,
    output: Path,
    models: tuple[str, ...],
    datasets: tuple[str, ...],
    per_model: int,
    real: int | None,
    practice: int,
    exposure: int,
    feedback: bool,
    scale: int | None,
    seed: int,
) -> None:
    """Make a page of images of RESULTS (default: results) and of real ones in random order: real or generated?

    The page needs no network and sends nothing: a rater's answers are saved as a file. Which image is which stands
    beside the page, as in study.key.json, which score needs and raters should not have.
    """
    from genbench.study.making import Request, make

    if output.suffix.lower() != SUFFIX:
        raise RequestError(f"-o {printable(output)}: expected the name of a page, as in {PAGE}")
    request = Request(
        spec.split_all(models), spec.split_all(datasets), per_model, real, practice, exposure, feedback, scale, seed
    )
    _report(make(results, output, request), output)


def _report(made: Key, output: Path) -> None:
    from genbench.study import key

    design = made.design
    lines = (
        f"{output}: {design.items:,} images, {design.real:,} of them real, others of {', '.join(made.kinds)}; "
        f"{design.practice:,} for practice. Study {made.study}, protocol user-study {design.id}.",
        f"{key.beside(output)}: which is which. Keep it from raters.",
    )
    for line in lines:
        stdout_console().print(printable(line, 1000), soft_wrap=True)


@command.command("score")
@click.argument("answers", nargs=-1, required=True, type=path, metavar="ANSWERS...")
@click.option("--key", "-k", "key_file", type=path, metavar="FILE", default="study.key.json", show_default=True)
@exports.options
def score_command(answers: tuple[Path, ...], key_file: Path, form: str | None, output: Path | None) -> None:
    """Score the files of ANSWERS that the page gave its raters: how often each model's images were called real."""
    from genbench.study import answers as answered
    from genbench.study import key, outcome, outcome_table

    form = exports.chosen(form, output)
    made = key.read(key_file)
    study = outcome.score(made, answered.read(answers, made))
    tables = [outcome_table.table(study)]
    exports.put(exports.Shown(lambda: tables, lambda: tables, lambda: outcome_table.frame(study)), form, output)
