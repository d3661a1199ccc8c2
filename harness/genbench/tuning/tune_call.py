"""`genbench.tune`: a search in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genbench.errors import RequestError, printable
from genbench.runs import arguments
from genbench.runs.arguments import Datasets, Metrics, Models, Path
from genbench.runs.execution import callers_torch_kept
from genbench.runs.settings import RunSettings
from genbench.tuning.searching import search, tuned, unwatched
from genbench.tuning.tuned import Tuned
from genbench.tuning.tuning_settings import TuningSettings

if TYPE_CHECKING:
    import torch


def tune(
    models: Models,
    metric: Metrics | None = None,
    dataset: Datasets | None = None,
    *,
    trials: int = 30,
    seed: int = 0,
    halving: bool = False,
    budget: str | None = None,
    seeds: int | Sequence[int] = 1,
    select: str | None = None,
    samples: int | None = None,
    results: Path = "results",
    device: str | torch.device = "auto",
    threads: int = 1,
    engine: str | None = None,
    jobs: int | None = None,
) -> Tuned:
    """Try configurations of models drawn by a seed, each an ordinary trial, on validation images: `genbench tune`.

    What is returned prints as tables; `.configurations` and `.curve` are data frames, `.command` is the final run.
    trials is how many configurations of each model are tried, its own options first; seeds the training seeds of each.
    halving stops all but the best third after a part of the budget, and again. The others are as in `genbench.run`.

    Raises RequestError, PluginError or DataError for whatever cannot be run, before anything trains.
    """
    given: dict[str, Any] = dict(locals())
    given |= {"metrics": given.pop("metric"), "datasets": given.pop("dataset")}
    how = {name: _whole(name, given.pop(name)) for name in ("trials", "seed")}
    is_halved = bool(given.pop("halving"))
    with callers_torch_kept():
        settings = TuningSettings(RunSettings(**arguments.taken(given)), halving=is_halved, **how)
        return tuned(settings, search(settings), unwatched)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"{name} is {printable(repr(value), 60)}; expected a whole number")
    return value
