"""What results folders hold, as boards and tables."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from genbench.data.folders import cache_folder
from genbench.files import write_text
from genbench.ranking import claims, frames
from genbench.ranking.board import Board, boards
from genbench.ranking.scores import Collected, collect
from genbench.ranking.verdicts import verdicts
from genbench.registry.plugins import load_registry
from genbench.registry.resolve import Resolver
from genbench.runs import arguments
from genbench.runs.arguments import Path
from genbench.runs.planning import texts
from genbench.store.store import Store

if TYPE_CHECKING:
    import pandas as pd


class Results(NamedTuple):
    """What a results folder holds, as data frames: a row per model and protocol, and a row per trial and protocol."""

    leaderboard: pd.DataFrame
    trials: pd.DataFrame


def write_tables(store: Store) -> tuple[Collected, int]:
    """Write leaderboard.csv and trials.csv from the store, always whole.

    Returns what the store holds, and how many rows the leaderboard has.
    """
    collected = collect(store)
    found = _results(collected)
    if store.trials.is_dir():
        for name, text in _as_csv(found).items():
            write_text(store.root / name, text)
    return collected, len(found.leaderboard)


def tables(store: Store) -> dict[str, str]:
    """Return the CSV files that a store comes to, by name."""
    return _as_csv(_results(collect(store))) if store.trials.is_dir() else {}


def _as_csv(results: Results) -> dict[str, str]:
    from genbench.output.tables_csv import to_csv

    return {"leaderboard.csv": to_csv(results.leaderboard), "trials.csv": to_csv(results.trials)}


def _results(collected: Collected) -> Results:
    return Results(frames.leaderboard(boards(collected.rows)), frames.trials(collected.rows))


def load_results(path: Path = "results") -> Results:
    """Return the leaderboard and the trials of a results folder, each a data frame.

    Raises StoreError where there are none, RequestError where path is no path.
    """
    store = Store(pathlib.Path(arguments.path("path", path)))
    store.check_readable()
    return _results(collect(store))


def load_verdicts(against: Sequence[str] | str = "goodfellow2014", path: Path = "results") -> pd.DataFrame:
    """Return published numbers held against a results folder: a row per claim, or per model it is held against.

    Raises RequestError for unknown claims, StoreError where there are no results.
    """
    arguments.path("path", path)
    compared = published(texts("against", arguments.taken({"against": against})["against"], ()))
    return frames.verdicts(verdicts(read_boards([path], compared)[0], compared))


def published(wanted: Sequence[str]) -> list[claims.Claim]:
    """Return the published numbers in claims files by name. Raises RequestError for an unknown one."""
    return claims.load(wanted, Resolver(load_registry(), cache_folder())) if wanted else []


def read_boards(paths: Sequence[Path], compared: Sequence[claims.Claim] = ()) -> tuple[list[Board], list[str]]:
    """Return the boards of all scores in results folders, and what is wrong with folders that could not be read.

    A trial that lies in several folders counts once. Raises StoreError where its scores differ.
    """
    found, collected = read(paths, compared)
    return found, collected.damaged


def read(paths: Sequence[Path], compared: Sequence[claims.Claim] = ()) -> tuple[list[Board], Collected]:
    """Return what `read_boards` does, with all else that is to be said of the folders."""
    stores = [Store(pathlib.Path(path)) for path in paths]
    for store in stores:
        store.check_readable()
    collected = collect(*stores)
    return boards(collected.rows, compared), collected
