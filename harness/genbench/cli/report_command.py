"""genbench report: results as one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from genbench.cli import exports, narrowing, stray_words
from genbench.cli.paths import path
from genbench.errors import RequestError, StoreError, printable
from genbench.files import write_text
from genbench.output.console import stderr_console, stdout_console
from genbench.ranking.filters import Filter
from genbench.ranking.verdicts import verdicts
from genbench.registry import spec
from genbench.runs import stored
from genbench.store.store import Store

FILE = Path("report.html")


@click.command("report")
@click.argument("results", nargs=-1, type=path)
@click.option("--output", "-o", type=path, default=FILE, show_default=True, metavar="FILE", help="Write there.")
@click.option("--title", default="Results", show_default=True, metavar="TEXT", help="What stands at the top.")
@narrowing.options
@click.option(
    "--against", multiple=True, metavar="CLAIMS", help="Published numbers to hold ours against: goodfellow2014."
)
def command(
    results: tuple[Path, ...],
    output: Path,
    title: str,
    wanted: Filter,
    against: tuple[str, ...],
) -> int:
    """Write RESULTS folders (default: results) as one page: a single file that opens offline, in any browser.

    Exit code 1 where something could not be read: the page says what, and shows the rest.
    """
    from genbench.html_report.building import build
    from genbench.html_report.stored_trials import StoredTrials

    stray_words.check_words([str(folder) for folder in results if not folder.exists()])
    if output.suffix.lower() not in (".html", ".htm"):
        raise RequestError(f"-o {printable(output)}: expected the path of an .html file")
    exports.check_output(output)
    folders, foreign = _readable(results or (Path("results"),))
    found, collected = stored.read(folders, published := stored.published(spec.split_all(against)))
    if not found and not collected.damaged:
        raise RequestError("no scores in these results; expected at least one. To make some: genbench run")
    boards, claims = (wanted.boards(found), wanted.claims(published)) if found else ([], [])
    unread = [f"not read: {problem}" for problem in (*foreign, *collected.damaged)]
    page = build(title, boards, StoredTrials(folders), verdicts(boards, claims), unread, collected.notes)
    write_text(output, page)
    for line in (*unread, *collected.notes):
        stderr_console().print(line, soft_wrap=True)
    stdout_console().print(printable(output, 1000), soft_wrap=True)
    return 1 if unread else 0


def _readable(folders: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the folders that hold results, and what is wrong with others. Raises StoreError where none does."""
    found, foreign = [], []
    for folder in folders:
        try:
            Store(folder).check_readable()
            found.append(folder)
        except StoreError as error:
            foreign.append(error)
    if not found:
        raise foreign[0]
    return found, [printable(error) for error in foreign]
