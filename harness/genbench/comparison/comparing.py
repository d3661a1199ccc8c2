"""Two models of results folders, or the models of two folders, compared."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from genbench.comparison import pairing
from genbench.comparison.pairing import Pair
from genbench.errors import RequestError, did_you_mean, printable
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.filters import Filter, called
from genbench.registry import spec
from genbench.runs import stored

EVERYTHING = Filter()


@dataclass(frozen=True)
class Comparison:
    """What a and b are called, each model or folder; the pairs; what could not be compared or read, a line each.

    of_folders says that a and b are folders: a pair's two models then have one name.
    """

    a: str
    b: str
    of_folders: bool
    pairs: Sequence[Pair]
    notes: Sequence[str] = ()
    damaged: Sequence[str] = ()


def compared(a: str, b: str, results: Sequence[pathlib.Path], wanted: Filter = EVERYTHING) -> Comparison:
    """Return the comparison of two models of results folders, or of two folders. Raises RequestError or StoreError."""
    if _is_results(a) and _is_results(b):
        return _of_folders(a, b, wanted)
    for one, other in ((a, b), (b, a)):
        if _is_path(one) or (_is_results(one) and not any(_is_results(str(folder)) for folder in results)):
            raise _half_a_pair(one, other)
    if wanted.models:
        raise RequestError("--model with two models; expected it with two results folders alone")
    return _of_models(a, b, results, wanted)


def _is_results(text: str) -> bool:
    return pathlib.Path(text, "trials").is_dir()


def _is_path(text: str) -> bool:
    """Return whether a text can only be meant as a folder."""
    return not spec.is_file(spec.plain(text)) and os.sep in spec.plain(text)


def _half_a_pair(folder: str, other: str) -> RequestError:
    """Return the error for a folder beside something that is none of results, or that is none itself."""
    return _neither(other if _is_results(folder) else folder, "")


def _neither(text: str, more: str) -> RequestError:
    return RequestError(
        f"{printable(text)!r} is no results folder{more}; expected two of them, or two models, as in: "
        "genbench compare gan vae"
    )


# Two models ----------------------------------------------------------------------------------------------------------


def _of_models(a: str, b: str, results: Sequence[pathlib.Path], wanted: Filter) -> Comparison:
    everything, collected = stored.read(results)
    boards = wanted.boards(everything) if everything else []
    first, second = _named(a, boards), _named(b, boards)
    if first == second:
        raise RequestError(f"{printable(a)!r} and {printable(b)!r} are one model; expected two")
    pairs = pairing.of_models(boards, _is(first), _is(second))
    _check_any(pairs, f"{first} and {second}")
    alone = [*_alone(boards, first, second, "A"), *_alone(boards, second, first, "B")]
    return Comparison(first, second, False, pairs, [*collected.notes, *alone], collected.damaged)


def _is(label: str) -> Callable[[BoardRow], bool]:
    return lambda row: row.model == label


def _named(asked: str, boards: Sequence[Board]) -> str:
    """Return the label on the boards that is asked for: as it stands there, as it was typed, or by its name alone."""
    rows = [row for board in boards for row in board.rows if row.scores]
    same = called(asked, rows, lambda row: row.model) or called(asked, rows, lambda row: row.scores[0].model.label)
    labels, found = (sorted({row.model for row in several}) for several in (rows, same))
    if len(found) == 1:
        return found[0]
    if not labels:
        raise RequestError("no scores in these results; expected at least one. To make some: genbench run")
    if found:
        raise RequestError(f"{printable(asked)!r} may be any of: {_listed(found)}; expected one of them")
    if pathlib.Path(asked).is_dir() and not _is_results(asked):
        raise _neither(asked, ", nor a model in these results")
    near = did_you_mean(asked, labels)
    raise RequestError(f"no model {printable(asked)!r} in these results.{near} There: {_listed(labels)}")


def _listed(labels: Sequence[str]) -> str:
    return printable(", ".join(labels), 600)


def _alone(boards: Sequence[Board], label: str, other: str, side: str) -> Iterator[str]:
    """Say by which metrics one of two models alone has scores: other protocols, or none of the other."""
    there = [{row.model for row in board.rows if row.summary and not row.claim} for board in boards]
    only = [b for b, names in zip(boards, there, strict=True) if label in names and other not in names]
    if only:
        listed = ", ".join(f"{board.metric.label} {board.protocol_id} on {board.dataset}" for board in only)
        yield printable(f"not compared, for {label} ({side}) alone has scores by that protocol: {listed}", 600)


# Two folders ---------------------------------------------------------------------------------------------------------


def _of_folders(a: str, b: str, wanted: Filter) -> Comparison:
    if pathlib.Path(a).resolve() == pathlib.Path(b).resolve():
        raise RequestError(f"{printable(a)!r} and {printable(b)!r} are one folder; expected two")
    (in_a, read_a), (in_b, read_b) = (stored.read([pathlib.Path(folder)]) for folder in (a, b))
    first, second = (wanted.boards(boards) if boards else [] for boards in (in_a, in_b))
    pairs = pairing.of_folders(first, second)
    _check_any(pairs, f"{a} and {b}")
    notes = [*read_a.notes, *read_b.notes, *_in_one((first, second))]
    return Comparison(a, b, True, pairs, notes, [*read_a.damaged, *read_b.damaged])


def _in_one(both: tuple[Sequence[Board], Sequence[Board]]) -> Iterator[str]:
    """Say how many scores have no counterpart in the other folder."""
    in_a, in_b = ({(b.protocol_id, row.model) for b in boards for row in b.rows if row.summary} for boards in both)
    for side, mine, others in (("A", in_a, in_b), ("B", in_b, in_a)):
        if only := {model for _, model in mine - others}:
            yield printable(f"not compared, for {side} alone has some of their scores: {', '.join(sorted(only))}", 600)


def _check_any(pairs: Sequence[Pair], who: str) -> None:
    """Raise RequestError where there are no pairs."""
    if not pairs:
        raise RequestError(
            f"{printable(who)} have no scores under one protocol; expected one: the same metric and its options, "
            "dataset, samples and split. See: genbench leaderboard"
        )
