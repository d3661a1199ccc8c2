"""genbench slim: a copy of results that is small enough to send."""

from __future__ import annotations

from pathlib import Path

import click

from genbench.cli.paths import path
from genbench.errors import printable
from genbench.output.console import stdout_console


@click.command("slim")
@click.argument("results", default="results", type=path)
@click.option("--output", "-o", required=True, type=path, metavar="COPY", help="The new folder.")
def command(results: Path, output: Path) -> int:
    """Copy RESULTS (default: results) without weights and samples: the same tables, in a fraction of the space.

    What the copy lacks its records say: a score asked for later, or a picture, needs the model trained again.
    """
    from genbench.runs.slimming import slim

    done = slim(results, output)
    trials = f"{done.trials:,} {'trial' if done.trials == 1 else 'trials'}"
    summary = (
        f"{printable(output)}: {trials} without samples and weights ({done.bytes_left_out / 1e6:,.1f} MB left out). "
        f"Tables, learning curves and scores are whole; other figures and new scores need the models trained again."
    )
    stdout_console().print(summary, soft_wrap=True)
    return 0
