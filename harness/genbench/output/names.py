"""Names as people write them: a metric's title and what sets it apart, what a dataset's files are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from genbench.errors import RequestError
from genbench.ranking.board import Board
from genbench.ranking.recorded import RecordedMetric
from genbench.registry import spec


def metrics(boards: Sequence[Board]) -> list[str]:
    """Return what each board's metric is called, with the protocol's id where several are called the same."""
    names = [metric(board.metric) for board in boards]
    return [
        name if names.count(name) == 1 else f"{name} {board.protocol_id}"
        for name, board in zip(names, boards, strict=True)
    ]


def metric(recorded: RecordedMetric) -> str:
    """Return a metric's title, and in brackets its preset, features and options: Kernel distance (domain features)."""
    title = recorded.title or recorded.name
    try:
        request = spec.parse(recorded.label)
    except RequestError:  # a record may hold any text
        return f"{title} ({recorded.label})"
    features = recorded.extractor.label if recorded.extractor else None
    unnamed = [] if request.positional is None else [_value(request.positional, features)]
    named = [
        _value(value, features) if value == features else f"{_words(name)} {_value(value)}"
        for name, value in request.options.items()
    ]
    parts = [*filter(None, [request.preset]), *unnamed, *named]
    return f"{title} ({', '.join(parts)})" if parts else title


def dataset(label: str) -> str:
    """Return what a dataset is called: its name, or for files that of the file or folder, and options behind it."""
    try:
        request = spec.parse(label)
    except RequestError:
        return label
    name = request.name if request.positional is None else PurePath(str(request.positional)).stem or label
    return ", ".join([name, *(f"{_words(option)} {_value(value)}" for option, value in request.options.items())])


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: spec.Value, features: str | None = None) -> str:
    """Return a value as it is read: of a feature extractor, what its features are."""
    if value != features:
        return f"{value:,}" if type(value) is int else value if isinstance(value, str) else spec.format_value(value)
    try:
        request = spec.parse(str(value))
    except RequestError:
        return f"{value} features"
    options = [f"{_words(name)} {_value(given)}" for name, given in request.options.items()]
    return ", ".join([f"{request.name} features", *filter(None, [request.preset]), *options])
