"""What tuning came to, as Python and the command show it: what that takes is imported where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genbench.tuning.tried import Tuning

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Tuned(Tuning):
    """What tuning came to: a search for each model, all under one metric against the validation images of a dataset.

    Printed, it is the tables that the command prints. command is the final run: the best configuration of each model,
    against test images, with seeds that tuning did not use.
    """

    def __repr__(self) -> str:
        """Return the tables as text."""
        from genbench.output.terminal import as_text
        from genbench.tuning.tuning_tables import tables

        return as_text(tables(self))

    def _repr_html_(self) -> str:
        """Return the tables as a notebook shows them."""
        from genbench.output.tables_html import for_notebook
        from genbench.tuning.tuning_tables import tables

        return for_notebook(tables(self))

    @property
    def configurations(self) -> pd.DataFrame:
        """Return a row for each configuration and budget, with its score and a column for each option tuned."""
        from genbench.tuning import tuning_frames

        return tuning_frames.configurations(self)

    @property
    def curve(self) -> pd.DataFrame:
        """Return a row for each model and number of configurations, with the expected best score."""
        from genbench.tuning import tuning_frames

        return tuning_frames.curve(self)

    @property
    def command(self) -> str:
        """Return the command of the final run, quoted for a shell; "" where no configuration has a score."""
        from genbench.tuning import final_run

        return final_run.command(self)
