"""Boards narrowed to what is asked for: metrics, datasets, a split, models. What is not shown goes on to count."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from genbench.errors import RequestError, did_you_mean, printable
from genbench.ranking.board import Board, BoardRow
from genbench.ranking.claims import Claim
from genbench.registry import spec

Item = TypeVar("Item")


@dataclass(frozen=True)
class Filter:
    """What of boards is to be shown: of these metrics, datasets and models, and of this split; None and () are all.

    A metric or dataset is asked for by its label, or by its name, whatever its options. A model likewise, but where a
    label is just that name, by this alone.
    """

    metrics: Sequence[str] = ()
    datasets: Sequence[str] = ()
    models: Sequence[str] = ()
    target: str | None = None

    def boards(self, found: Sequence[Board]) -> list[Board]:
        """Return the boards asked for, in their order, with the rows asked for; ranks stay as they are.

        Raises RequestError for what is asked for and is not there, with what is.
        """
        _check_named("metric", self.metrics, [board.metric.label for board in found])
        _check_named("dataset", self.datasets, [board.dataset for board in found])
        rows = self._rows([row for board in found for row in board.rows])
        narrowed = [_with_rows(board, rows, self.models) for board in found if self._is_asked_for(board)]
        shown = [board for board in narrowed if board.rows or not self.models]
        if not shown:
            raise self._nothing(found)
        return shown

    def claims(self, published: Sequence[Claim]) -> list[Claim]:
        """Return the published numbers asked for: of whatever options, and about whatever model of a name."""
        return [
            claim
            for claim in published
            if _is_named(claim.metric, self.metrics)
            and _is_named(claim.dataset, self.datasets)
            and (not self.models or claim.model in self.models or any(map(claim.is_about, self.models)))
        ]

    def _is_asked_for(self, board: Board) -> bool:
        return (
            _is_wanted(board.metric.label, self.metrics)
            and _is_wanted(board.dataset, self.datasets)
            and (not self.target or board.target in ("", self.target))
        )

    def _rows(self, rows: Sequence[BoardRow]) -> set[int]:
        """Return the ids of the rows asked for. Raises RequestError for a model that has none."""
        chosen: set[int] = set()
        for name in self.models:
            found = _of_model(name, rows)
            if not found:
                labels = list(dict.fromkeys(row.model for row in rows))
                raise _unknown("model", name, labels)
            chosen |= set(map(id, found))
        return chosen

    def _nothing(self, found: Sequence[Board]) -> RequestError:
        asked = ", ".join([*self.metrics, *self.datasets, *self.models, *filter(None, [self.target])])
        there = dict.fromkeys(f"{b.metric.label} on {b.dataset}, {b.target or 'any'} images" for b in found)
        return RequestError(
            f"no scores for {printable(asked)!r} together; expected some of: {printable('; '.join(there))}"
        )


# Names ---------------------------------------------------------------------------------------------------------------


def called(name: str, items: Iterable[Item], label: Callable[[Item], str]) -> list[Item]:
    """Return the items whose label is a name, else those whose plugin has this name, with any options."""
    known = list(items)
    same = [item for item in known if is_same(label(item), name)]
    return same or [item for item in known if spec.plain(label(item)) == name]


def is_same(label: str, typed: str) -> bool:
    """Return whether a text asks for what a label does; the order of options does not matter."""
    with contextlib.suppress(RequestError):
        return label == typed or spec.parse(label) == spec.parse(typed)
    return False


def _of_model(name: str, rows: Sequence[BoardRow]) -> list[BoardRow]:
    """Return the rows of a model: by its label as tables show it, or as it is typed; a published row by its name."""
    ours = [row for row in rows if row.scores]
    found = called(name, ours, lambda row: row.model) or called(name, ours, lambda row: row.scores[0].model.label)
    return found or [row for row in rows if row.claim and row.claim.model == name]


def _check_named(what: str, asked: Sequence[str], labels: Sequence[str]) -> None:
    for name in asked:
        if not any(_is_wanted(label, [name]) for label in labels):
            raise _unknown(what, name, list(dict.fromkeys(labels)))


def _unknown(what: str, name: str, labels: Sequence[str]) -> RequestError:
    near = did_you_mean(name, {*labels, *map(spec.plain, labels)})
    return RequestError(
        f"no scores of {what} {printable(name)!r}.{near} Expected some of: {printable(', '.join(labels))}"
    )


def _is_wanted(label: str, asked: Sequence[str]) -> bool:
    """Return whether a label, or its name alone, is among those asked for; all are where nothing is."""
    return not asked or spec.plain(label) in asked or any(is_same(label, name) for name in asked)


def _is_named(label: str, asked: Sequence[str]) -> bool:
    """Return whether something of a label's name is among those asked for, with whatever options; or nothing is."""
    return not asked or spec.plain(label) in map(spec.plain, asked)


# Rows ----------------------------------------------------------------------------------------------------------------


def _with_rows(board: Board, chosen: set[int], models: Sequence[str]) -> Board:
    """Return a board with the rows chosen, and published ones about these models; the others are left out."""
    if not models:
        return board
    labels = [row.scores[0].model.label for row in board.rows if id(row) in chosen and row.scores]

    def is_shown(row: BoardRow) -> bool:
        about = row.claim is not None and (row.claim.model in models or any(map(row.claim.is_about, labels)))
        return id(row) in chosen or about

    rows = [row for row in board.rows if is_shown(row)]
    aside = [row for row in board.rows if not is_shown(row)]
    return replace(board, rows=rows, alone=[row for row in board.alone if is_shown(row)], left_out=aside)
