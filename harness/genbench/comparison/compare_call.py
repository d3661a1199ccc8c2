"""Comparing from Python: `genbench.compare`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genbench.comparison.comparing import compared
from genbench.comparison.comparison_table import frame
from genbench.ranking.filters import Filter
from genbench.registry import spec
from genbench.runs import arguments
from genbench.runs.arguments import Path

if TYPE_CHECKING:
    import pandas as pd


def compare(
    a: Path,
    b: Path,
    results: Path = "results",
    models: Sequence[str] | str = (),
    metrics: Sequence[str] | str = (),
    datasets: Sequence[str] | str = (),
) -> pd.DataFrame:
    """Return how two models differ, or the models of two results folders: a row per metric, dataset and model.

    a and b are models as leaderboards call them, of the folder results; or two results folders. models (of folders),
    metrics and datasets choose some. What the columns hold: docs/columns.md; what to make of them: docs/comparing.md.
    Raises RequestError for what is not there, StoreError for a folder without results.
    """
    given = {"models": models, "metrics": metrics, "datasets": datasets}
    wanted = Filter(**{name: _texts(name, texts) for name, texts in given.items()}, target=None)
    first, second = arguments.path("a", a), arguments.path("b", b)
    return frame(compared(first, second, [pathlib.Path(arguments.path("results", results))], wanted))


def _texts(name: str, given: Sequence[str] | str) -> list[str]:
    taken = arguments.TAKE["against"](name, given)
    return spec.split_all([taken] if isinstance(taken, str) else taken)
