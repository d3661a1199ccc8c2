"""genbench compare: how two models differ, or the models of two results folders, and how sure that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from genbench.cli import exports
from genbench.cli.paths import path
from genbench.output.console import stderr_console
from genbench.ranking.filters import Filter
from genbench.registry import spec

if TYPE_CHECKING:
    from genbench.output.tables import Table


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option(
    "--results",
    "-r",
    multiple=True,
    type=path,
    metavar="DIR",
    help="Results that hold both models.  [default: results]",
)
@click.option("--metrics", "--metric", multiple=True, metavar="NAMES", help="These metrics only.")
@click.option("--datasets", "--dataset", "-d", multiple=True, metavar="NAMES", help="These datasets only.")
@click.option("--models", "--model", "-m", multiple=True, metavar="NAMES", help="Of two folders, these models only.")
@click.option("--target", type=click.Choice(["test", "valid"]), help="Scores against this split only.")
@exports.options
def command(
    a: str,
    b: str,
    results: tuple[Path, ...],
    metrics: tuple[str, ...],
    datasets: tuple[str, ...],
    models: tuple[str, ...],
    target: str | None,
    form: str | None,
    output: Path | None,
) -> int:
    """Compare two models, A and B, as tables call them; or each model that two results folders, A and B, both have.

    By each metric: the difference A - B, its interval, the chance that A is better at a further seed, and how many
    seeds it would take to tell them apart. Only scores under one protocol are compared. What the numbers mean, and when
    not to trust them: docs/comparing.md.
    """
    from genbench.comparison import comparison_table
    from genbench.comparison.comparing import compared

    form = exports.chosen(form, output)
    asked = {"metrics": metrics, "datasets": datasets, "models": models}
    wanted = Filter(**{name: spec.split_all(texts) for name, texts in asked.items()}, target=target)
    found = compared(a, b, results or (Path("results"),), wanted)
    for line in (*(f"not read: {problem}" for problem in found.damaged), *found.notes):
        stderr_console().print(line, soft_wrap=True)

    def tables() -> list[Table]:
        return comparison_table.tables(found)

    exports.put(exports.Shown(tables, tables, lambda: comparison_table.frame(found)), form, output)
    return 1 if found.damaged else 0
