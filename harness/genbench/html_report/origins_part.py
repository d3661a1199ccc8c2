"""How each row was made: what makes it again, under which protocols, by which code, where, and of which trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from genbench.errors import printable
from genbench.html_report.overview_part import origin
from genbench.html_report.stored_trials import StoredTrials
from genbench.output import numbers
from genbench.ranking import provenance
from genbench.ranking.overview import Overview, OverviewRow
from genbench.ranking.provenance import Provenance
from genbench.ranking.scores import ScoreRow
from genbench.registry import spec

LONGEST = 2000


@dataclass(frozen=True)
class Fact:
    """A name and what is said of it, in lines; is_code where these can be typed."""

    name: str
    lines: Sequence[str]
    is_code: bool = False


@dataclass(frozen=True)
class Origin:
    """How a model's scores on a dataset were made; place is its id on the page."""

    place: str
    model: str
    facts: Sequence[Fact]


def origins_part(overview: Overview, stored: StoredTrials) -> list[Origin]:
    """Return how each row of an overview was made."""
    return [
        Origin(origin(overview, row.model, row.kind), printable(row.model), list(_facts(row, stored)))
        for row in overview.rows
    ]


def _facts(row: OverviewRow, stored: StoredTrials) -> Iterator[Fact]:
    claims = [printable(on.claim.source, LONGEST) for on in row.on if on and on.claim]
    if claims:
        yield Fact("source", list(dict.fromkeys(claims)))
    scores = [score for on in row.on if on for score in on.scores]
    if scores:
        yield from _made(provenance.of_scores(scores))
        if verified := list(_verified(scores, stored)):
            yield Fact("verification", verified)


def _verified(scores: Sequence[ScoreRow], stored: StoredTrials) -> Iterator[str]:
    """Yield what was found of scores, each finding once, with the metrics and seeds that it is of."""
    found: dict[str, dict[str, list[str]]] = {}
    for score in scores:
        if (mark := stored.mark(score)) and mark.in_words:
            found.setdefault(mark.in_words, {}).setdefault(score.metric.label, []).append(str(score.trial.seed))
    for words, metrics in found.items():
        by_seeds: dict[str, list[str]] = {}
        for metric, seeds in metrics.items():
            by_seeds.setdefault(" ".join(seeds), []).append(metric)
        whose = "; ".join(f"{', '.join(labels)}, seeds {seeds}" for seeds, labels in by_seeds.items())
        yield printable(f"{words}: {whose}", LONGEST)


def _made(made: Provenance) -> Iterator[Fact]:
    yield Fact("to make it again", made.commands or [made.no_command], is_code=bool(made.commands))
    options = ", ".join(f"{name}={_shown(value)}" for name, value in made.options.items())
    facts = {
        "options": [options],
        "protocols": [f"{name}: {words}" for name, words in made.protocols.items()],
        "versions": [", ".join(f"{name} {version}" for name, version in made.versions.items())],
        "commit": [made.commit],
        "genbench's commit": [made.genbench_commit],
        "device": [made.device],
        "digests": [f"{name} {digest}" for name, digest in made.digests.items()],
        "seconds": [", ".join(f"{name} {numbers.number(took)}" for name, took in made.seconds.items())],
        "trials": [f"seed {seed}: {trial}" for trial, seed in sorted(made.trials.items(), key=lambda pair: pair[1])],
    }
    for name, lines in facts.items():
        if any(lines):
            yield Fact(name, [printable(line, LONGEST) for line in lines])


def _shown(value: object) -> str:
    try:
        return spec.format_value(value)  # type: ignore[arg-type]
    except TypeError:
        return str(value)
