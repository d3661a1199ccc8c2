"""Names as people write them: a metric's title and what sets it apart, what a dataset's files are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from genbench.errors import RequestError
from genbench.ranking.board import Board
from genbench.ranking.recorded import RecordedMetric
from genbench.registry import spec


@dataclass(frozen=True)
class _Part:
    """What a metric's label says beside its name: of which option, and in words. A preset is of none."""

    option: str
    words: str


FEATURES = "features"
"""What stands for the option that a metric names its feature extractor by."""


def metrics(boards: Sequence[Board]) -> list[str]:
    """Return what each board's metric is called, with the protocol's id where several are called the same."""
    return _told_apart([metric(board.metric) for board in boards], boards)


def metrics_and_shared(boards: Sequence[Board]) -> tuple[list[str], list[str]]:
    """Return what `metrics` does without what all metrics share that can have it, and this: samples 1,000."""
    found = [board.metric for board in boards]
    shared = list(dict.fromkeys(part for one in found for part in _parts(one) if _is_shared(part, found)))
    names = [_called(one, [part for part in _parts(one) if part not in shared]) for one in found]
    return _told_apart(names, boards), [part.words for part in shared]


def _told_apart(names: Sequence[str], boards: Sequence[Board]) -> list[str]:
    return [
        name if names.count(name) == 1 else f"{name} {board.protocol_id}"
        for name, board in zip(names, boards, strict=True)
    ]


def metric(recorded: RecordedMetric) -> str:
    """Return a metric's title, and in brackets its preset, features and options: Kernel distance (domain features)."""
    return _called(recorded, _parts(recorded))


def _called(recorded: RecordedMetric, parts: Sequence[_Part]) -> str:
    title = recorded.title or recorded.name
    return f"{title} ({', '.join(part.words for part in parts)})" if parts else title


def _parts(recorded: RecordedMetric) -> list[_Part]:
    try:
        request = spec.parse(recorded.label)
    except RequestError:  # a record may hold any text
        return [_Part("", recorded.label)]
    features = recorded.extractor.label if recorded.extractor else None
    parts = [_Part("", request.preset)] if request.preset else []
    given: dict[str, spec.Value] = {} if request.positional is None else {"": request.positional}
    for name, value in {**given, **request.options}.items():
        is_features = value == features
        words = f"{_words(name)} {_value(value)}" if name and not is_features else _value(value, features)
        parts.append(_Part(FEATURES if is_features else name, words))
    return parts


def _is_shared(part: _Part, found: Sequence[RecordedMetric]) -> bool:
    """Return whether several metrics have an option, and all that have it have the same value."""
    if part.option == FEATURES:
        values = [each.extractor.label for each in found if each.extractor]
    else:
        values = [each.options[part.option] for each in found if part.option in each.options]
    return len(values) > 1 and all(value == values[0] for value in values)


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
