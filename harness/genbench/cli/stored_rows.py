"""What `genbench show` prints of stored trials and rows: scores, and how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from genbench.errors import RequestError, printable
from genbench.figures.subjects import Stored, find
from genbench.output import provenance_list
from genbench.output.board_table import interval, score, seeds
from genbench.output.console import stderr_console, stdout_console
from genbench.output.listing import listing
from genbench.output.numbers import MISSING, ranks
from genbench.ranking import provenance
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.filters import Filter
from genbench.ranking.provenance import Provenance
from genbench.ranking.recorded import RecordedModel
from genbench.ranking.scores import ScoreRow, rows_of
from genbench.runs import stored

AGAIN = "to make it again (what a folder of results holds is not done again: give another by --results):"


def show_trial(name: str, results: Path) -> int:
    """Print a stored trial: its scores, and how it was made. Raises RequestError where a name is of no trial."""
    found = find(name, results)
    trials = [*(trial for subject in found.subjects for trial in subject.trials), *found.untrained]
    if len(trials) != 1:
        raise RequestError(f"{printable(name)!r} is {len(trials)} trials; expected one, by its id or folder")
    (trial,) = trials
    record = trial.record
    others = [other.record for other in _beside(trial, found.root)]
    print_title(f"{trial}: trial {record.id}, {record.status}{f' ({record.reason})' if record.reason else ''}")
    click.echo(printable(f"in {trial.folder.path}", 1000))
    _print_scores(list(rows_of(trial.folder, record)))
    _print_made(provenance.of_trial(record, others))
    return 0


def _beside(trial: Stored, root: Path) -> list[Stored]:
    """Return the trials of images made elsewhere beside one of such: a command names the images of all seeds."""
    if not RecordedModel.read(trial.record.model).is_given:
        return []
    found = find(trial.record.model["label"], root)
    return [other for subject in found.subjects for other in subject.trials]


def show_rows(name: str, results: Path, wanted: Filter) -> int:
    """Print the rows of a model: scores, trials, and how they were made. Returns 1 where a trial cannot be read.

    Raises RequestError where there is none.
    """
    found, collected = stored.read([results])
    for problem in collected.damaged:
        stderr_console().print(f"not read: {problem}", soft_wrap=True)
    if not found:
        raise RequestError(f"no scores in {printable(results)}; expected at least one. To make some: genbench run")
    rows: dict[tuple[str, str], list[tuple[Board, BoardRow]]] = {}
    for board in wanted.boards(found):
        for row in (row for row in board.rows if row.scores):
            rows.setdefault((row.model, board.dataset), []).append((board, row))
    if not rows:
        raise RequestError(f"{printable(name)!r} is a published number; expected a model of which there are trials")
    for (model, dataset), on in rows.items():
        print_title(f"{model} on {dataset}")
        _print_rows(on)
        scores = [each for _, row in on for each in row.scores]
        _print_scores(scores)
        _print_made(provenance.of_scores(scores))
    return 1 if collected.damaged else 0


def print_title(text: str) -> None:
    """Print a line in bold."""
    stdout_console().print(printable(text, 1000), style="bold", soft_wrap=True, markup=False)


def _print_rows(on: Sequence[tuple[Board, BoardRow]]) -> None:
    """Print what a row of tables says under each protocol."""
    console = stdout_console()
    console.print()
    console.print(listing("rows", [(f"{b.metric.label} {b.protocol_id}", _said(b, row)) for b, row in on]))


def _said(board: Board, row: BoardRow) -> str:
    parts = [
        f"{score(row)} {board.metric.unit}",
        f"95% interval {interval(row)}" if interval(row) != MISSING else "",
        f"rank {ranks(row.rank_low, row.rank_high)} of {len(board.ranked)}" if row.rank_low else "",
        f"{seeds(row)} seeds",
        provenance_list.extras(row.extras),
    ]
    return "; ".join(filter(None, parts))


def _print_scores(scores: Sequence[ScoreRow]) -> None:
    console = stdout_console()
    console.print()
    console.print(listing("scores", provenance_list.scores(scores)))


def _print_made(made: Provenance) -> None:
    console = stdout_console()
    console.print()
    console.print(listing("how it was made", provenance_list.rows(made)))
    console.print()
    click.echo(AGAIN if made.commands else f"no command is known to make it again: {made.no_command}")
    for command in made.commands:
        click.echo(command)
    click.echo()
