"""genbench study: a page on which people tell real images from generated ones, and the scores of their answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli import exports
from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stdout_console, text_console
from genbench.registry import spec

if TYPE_CHECKING:
    from genbench.study.key import Key
    from genbench.study.outcome import StudyScores

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
        _taken_apart(models), _taken_apart(datasets), per_model, real, practice, exposure, feedback, scale, seed
    )
    _tell(make(results, output, request), output)


def _tell(made: Key, output: Path) -> None:
    from genbench.study import key

    design = made.design
    told = (
        f"{output}: {design.items:,} images, {design.real:,} of them real, others of {', '.join(made.kinds)}; "
        f"{design.practice:,} for practice. Study {made.study}, protocol user-study {design.id}.",
        f"{key.beside(output)}: which is which. Keep it from raters.",
    )
    for line in told:
        stdout_console().print(printable(line, 1000), soft_wrap=True)


@command.command("score")
@click.argument("answers", nargs=-1, required=True, type=path, metavar="ANSWERS...")
@click.option("--key", "-k", "key_file", type=path, metavar="FILE", default="study.key.json", show_default=True)
@click.option(
    "--format", "form", type=click.Choice(exports.FORMATS), help="[default: what FILE's suffix says, else table]"
)
@click.option("--output", "-o", type=path, metavar="FILE", help="Write there instead of printing.")
def score_command(answers: tuple[Path, ...], key_file: Path, form: str | None, output: Path | None) -> None:
    """Score the files of ANSWERS that the page gave its raters: how often each model's images were called real."""
    from genbench.study import answers as answered
    from genbench.study import key, outcome

    form = exports.chosen(form, output)
    made = key.read(key_file)
    _show(outcome.score(made, answered.read(answers, made)), form, output)


def _show(study: StudyScores, form: str, output: Path | None) -> None:
    from genbench.output.terminal import print_tables
    from genbench.study.outcome_table import table

    if form == "table" and output is None:
        print_tables([table(study)], stdout_console())
    else:
        exports.put(_text(study, form), output)


def _text(study: StudyScores, form: str) -> str:
    """Return the scores in a format: csv and json in full precision, others as a table for people."""
    from genbench.output.tables_csv import to_csv
    from genbench.output.tables_json import to_json
    from genbench.output.tables_latex import to_latex
    from genbench.output.tables_markdown import to_markdown
    from genbench.output.terminal import print_tables
    from genbench.study.outcome_table import frame, table

    match form:
        case "csv":
            return to_csv(frame(study))
        case "json":
            return to_json(frame(study))
        case "markdown":
            return to_markdown([table(study)])
        case "latex":
            return to_latex([table(study)])
    console, written = text_console()
    print_tables([table(study)], console)
    return written.getvalue()


def _taken_apart(texts: tuple[str, ...]) -> list[str]:
    return [part for text in texts for part in spec.split(text)]
