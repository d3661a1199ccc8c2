"""The answers of raters, read from the files that the page gave them: anyone may have written one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from genbench import files
from genbench.errors import RequestError, printable
from genbench.store.schema import EXPECTED, Count, Number, Whole, check
from genbench.study.key import Key

Milliseconds = Annotated[Number, Field(ge=0)]


class Answer(Whole):
    """What an image, by its place on the page, was called; when, since it was shown; and how long it was shown."""

    item: Count
    called: Literal["real", "generated"]
    answered_ms: Milliseconds
    shown_ms: Milliseconds


class Screen(Whole):
    """Where images were shown: the window, in CSS pixels, and how many of the screen's own one of these is wide."""

    width: Number
    height: Number
    pixel_ratio: Number


class Answers(Whole):
    """A rater's answers to a study, in the order given; those of practice are kept and not scored."""

    study: str
    protocol: str
    rater: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    begun: str
    ended: str
    screen: Screen
    practice: list[Answer]
    answers: list[Answer]


WORDS: Mapping[str, str] = {
    **EXPECTED,
    "literal_error": "real or generated",
    "greater_than_equal": "0 or more",
    "string_too_short": "a name of 1 to 100 characters",
    "string_too_long": "a name of 1 to 100 characters",
}
"""What to expect instead, by pydantic's name for what is wrong."""


def read(paths: Sequence[Path], key: Key) -> list[Answers]:
    """Return the answers in files, one file a rater, in the order of their names.

    Raises StoreError for what are no answers, RequestError for those to another study, missing or doubled ones, and for
    two files of a rater.
    """
    found: dict[str, tuple[Path, Answers]] = {}
    for path in paths:
        answers = _read(path)
        _check_study(answers, key, path)
        _check_complete(answers, key, path)
        if answers.rater in found:
            raise RequestError(_doubled(*found[answers.rater], path, answers))
        found[answers.rater] = (path, answers)
    return [found[rater][1] for rater in sorted(found)]


def _read(path: Path) -> Answers:
    content = files.read_json(path, follow=True)
    check(Answers, content, printable(path), WORDS)
    return Answers.model_validate(content)


def _check_study(answers: Answers, key: Key, path: Path) -> None:
    if (answers.study, answers.protocol) != (key.study, key.design.id):
        raise RequestError(
            f"{printable(path)} answers study {printable(answers.study, 20)} of protocol "
            f"{printable(answers.protocol, 20)}; the key is of study {key.study} of protocol {key.design.id}. "
            "Give the key that lay beside its page: --key FILE"
        )


def _check_complete(answers: Answers, key: Key, path: Path) -> None:
    """Raise RequestError unless each image was answered once."""
    times = Counter(answer.item for answer in answers.answers)
    asked = range(len(key.items))
    faults = {
        "did not answer": [item for item in asked if item not in times],
        "answered twice or more": [item for item in asked if times[item] > 1],
        "answered what was not asked": [item for item in sorted(times) if item not in asked],
    }
    for fault, which in faults.items():
        if which:
            listed = ", ".join(map(str, which[:5])) + (", ..." if len(which) > 5 else "")
            raise RequestError(
                f"{printable(path)}: rater {printable(answers.rater, 40)!r} {fault}: {len(which):,} of "
                f"{len(asked):,} images ({listed}); expected one answer to each. Leave the file out"
            )


def _doubled(before: Path, first: Answers, path: Path, second: Answers) -> str:
    """Return what is wrong with two files of one rater."""
    both = f"{printable(before)} and {printable(path)}"
    if first == second:
        return f"{both} hold the same answers; expected each rater's once. Leave one out"
    rater = printable(first.rater, 40)
    return f"{both} are both of rater {rater!r}; expected one file a rater. Leave one out"
