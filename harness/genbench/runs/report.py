"""What a run came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genbench.engines.schedule import UNDER_WAY, Outcome
from genbench.ranking import frames
from genbench.ranking.board import Board
from genbench.ranking.verdicts import Verdict, verdicts
from genbench.runs.planning import Plan

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Report:
    """What a run came to: its boards, how the trials ended that it performed, and how long it took.

    Printed, it is the tables that the command prints; in a notebook too.
    total counts the rows of leaderboard.csv and the trials of the whole results folder; damaged says which of its
    folders could not be read; remarks say which trials lie in several, and what could not be let go of.
    """

    plan: Plan
    boards: Sequence[Board]
    outcomes: Mapping[str, Outcome]
    seconds: float
    total: tuple[int, int]
    damaged: Sequence[str]
    remarks: Sequence[str] = ()

    def __repr__(self) -> str:
        """Return the tables as text."""
        from genbench.output.board_table import tables
        from genbench.output.terminal import as_text

        return as_text(tables(self.boards))

    def _repr_html_(self) -> str:
        """Return the tables as a notebook shows them."""
        from genbench.output.board_table import table
        from genbench.output.tables_html import for_notebook

        return for_notebook([table(board) for board in self.boards])

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Return the boards as a data frame, in the columns of leaderboard.csv."""
        return frames.leaderboard(self.boards)

    @property
    def verdicts(self) -> list[Verdict]:
        """Return what became of each published number that the run was held against."""
        return verdicts(self.boards, self.plan.claims)

    @property
    def against(self) -> pd.DataFrame:
        """Return the verdicts on published numbers as a data frame: one per claim, or per model it is held against."""
        return frames.verdicts(self.verdicts)

    @property
    def failed(self) -> int:
        """Return how many scores that were asked for are missing, refusals of a metric apart."""
        lacking = Counter[str]()
        for board in self.boards:
            for row in board.rows:
                lacking.update(row.statuses)
        missing = sum(count for status, count in lacking.items() if status != "skipped")
        return missing + len(self._outdone)

    @property
    def under_way(self) -> int:
        """Return how many trials were left to a queue, and go on there."""
        return sum(outcome.status == UNDER_WAY for outcome in self.outcomes.values())

    @property
    def notes(self) -> list[str]:
        """Return what was noted on the way: damage that was repaired, old results that were kept, and remarks."""
        repaired = (note for outcome in self.outcomes.values() for note in outcome.notes)
        return [*repaired, *self._outdone, *self.remarks]

    @property
    def _outdone(self) -> list[str]:
        """Return the trials that were to be trained anew, were not, and stand in the tables with their old results."""
        names = {trial.id: str(trial) for trial in self.plan.todo} if self.plan.fresh_mark else {}
        return [
            f"{names[trial]}: {outcome.status}: {outcome.reason}; its old results, if any, are kept"
            for trial, outcome in self.outcomes.items()
            if trial in names and outcome.status not in ("done", UNDER_WAY)
        ]
