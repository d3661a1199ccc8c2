"""How a trial or a row was made, as a list of names and words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.captions import older
from genbench.ranking.provenance import Provenance
from genbench.ranking.scores import ScoreRow
from genbench.trial.git_commit import CHANGED, UNKNOWN

MARKS = {CHANGED: "tracked files were changed", UNKNOWN: "whether tracked files were changed is not known"}

NO_REPOSITORY = "none recorded: it ran in no git repository, or before commits were recorded"


def rows(made: Provenance) -> list[tuple[str, str]]:
    """Return what is recorded of how something was made, in the order in which it is asked for; no commands."""
    own = [("genbench's own commit", commit(made.genbench_commit))] if made.genbench_commit else []
    return [
        *(("protocol", f"{name}: {words}") for name, words in made.protocols.items()),
        ("options", _options(made.options)),
        ("versions", ", ".join(f"{name} {version}" for name, version in made.versions.items())),
        ("commit", commit(made.commit) if made.commit else NO_REPOSITORY),
        *own,
        ("device", made.device or "not recorded"),
        ("took", _took(made)),
        *((f"SHA-256 of {name}", digest) for name, digest in made.digests.items() if digest),
        *([("!", f"{made.model.shown}: {older(made.model)}")] if made.model.is_older else []),
    ]


def commit(marked: str) -> str:
    """Return commits with their marks in words."""
    words = [meaning for mark, meaning in MARKS.items() if mark in marked]
    return f"{marked} ({'; '.join(words)})" if words else marked


def scores(found: Iterable[ScoreRow]) -> list[tuple[str, ...]]:
    """Return trials' scores, with the metrics' own errors and further numbers, or why there is none."""
    return [
        (score.trial.id, f"seed {score.trial.seed}", f"{score.metric.label} {score.protocol_id}", _score(score))
        for score in found
    ]


def _score(score: ScoreRow) -> str:
    if score.value is None:
        return f"{score.status}: {score.reason}" if score.reason else score.status
    error = "" if score.stderr is None else f" ± {numbers.number(score.stderr, 2)} by the metric"
    parts = [f"{score.value!r} {score.metric.unit}{error}", extras(score.extras or {}), *score.notes]
    return "; ".join(filter(None, parts))


def extras(found: Mapping[str, float]) -> str:
    """Return a metric's further numbers in a line: sigma 0.128."""
    return ", ".join(f"{printable(name)} {numbers.short(value)}" for name, value in found.items())


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_plain(value)}" for name, value in options.items()) or "none"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _took(made: Provenance) -> str:
    """Return what each stage took, of several trials in the mean."""
    stages = ", ".join(f"{stage} {_seconds(took)}" for stage, took in made.seconds.items())
    return f"{stages}{', mean over trials' if len(made.trials) > 1 else ''}" if stages else "nothing is finished"


def _seconds(took: float) -> str:
    return f"{numbers.short(took)} s" if took < 60 else numbers.seconds(took)
