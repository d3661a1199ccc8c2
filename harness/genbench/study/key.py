"""The key of a study: which image is of which model. It lies beside the page, and is not in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genbench import files
from genbench.errors import RequestError, StoreError, printable
from genbench.store.schema import Count, Hex12, Whole, check
from genbench.study.design import Design
from genbench.study.items import REAL, Item


class Place(Whole):
    """Where an image is from: see Item."""

    source: str
    trial: str
    row: Count


class Key(Whole):
    """What answers are scored by: the design, the seed of choice and order, and the sources of images in this order.

    kinds says of each model whether it is ours or reference.
    """

    study: Hex12
    seed: Count
    design: Design
    kinds: dict[str, str]
    items: list[Place]
    practice: list[Place]


def beside(page: Path) -> Path:
    """Return the path of a page's key: study.key.json beside study.html."""
    return page.with_name(f"{page.stem}.key.json")


def places(items: Sequence[Item]) -> list[Place]:
    """Return where items are from."""
    return [Place(source=item.source, trial=item.trial, row=item.row) for item in items]


def read(path: Path) -> Key:
    """Return a key. Raises StoreError where there is none, or not as genbench writes it."""
    record = files.read_record(path)
    check(Key, record, printable(path))
    key = Key.model_validate(record)
    of_models = {place.source for place in key.items} - {REAL}
    if len(key.items) != key.design.items or of_models != key.kinds.keys():
        raise StoreError(
            f"{printable(path)} is of no study: its items are not those that its design says; give "
            "the key that lay beside its page: --key FILE, or make the study again"
        )
    return key


def check_other(path: Path, study: str) -> None:
    """Raise RequestError where the key of another study lies, or something else: its answers would be lost."""
    if path.exists() and read(path).study != study:
        raise RequestError(
            f"{printable(path)} is the key of another study, whose answers would be lost; expected another -o, or "
            "remove it"
        )


def write(key: Key, path: Path) -> None:
    """Write a key, with its checksum, whole or not at all."""
    files.write_record(path, key.model_dump())
