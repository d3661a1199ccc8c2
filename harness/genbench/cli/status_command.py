"""genbench status: what is planned, running, done, failed or damaged in a folder of results, whoever works there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output.console import stdout_console
from genbench.ranking.standings import standings
from genbench.store.store import Store


@click.command("status")
@click.argument("results", default="results", type=path)
def command(results: Path) -> int:
    """Show how each trial in RESULTS (default: results) stands: also from another shell or machine on the folder.

    A running trial is shown with its epoch, what it logs, and who is at work on it since when.
    """
    found = standings(Store(results))
    if not found:
        raise RequestError(f"no trials in {printable(results)}, and no run at work there; expected a folder of results")
    counts = Counter(standing.state for standing in found)
    console = stdout_console()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    console.print(printable(f"{len(found)} {'trial' if len(found) == 1 else 'trials'}: {states}"), soft_wrap=True)
    for standing in found:
        words = f": {standing.words}" if standing.words else ""
        line = printable(f"{standing.trial}  {standing.name}{words}", 600)
        console.print(f"{printable(standing.state):<13}  {line}", soft_wrap=True)
    return 0
