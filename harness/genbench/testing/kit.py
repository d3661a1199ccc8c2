"""The list of checks for each kind of plugin, and what runs them one by one, whatever a plugin does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from genbench.abilities import abilities
from genbench.defaults import DATASET
from genbench.errors import Unsupported, did_you_mean, printable
from genbench.registry.plugins import describe
from genbench.testing import (
    ability_checks,
    dataset_checks,
    density_checks,
    engine_checks,
    extractor_checks,
    metric_checks,
    model_checks,
    plugin_checks,
    pretrained_checks,
    search_checks,
    training_checks,
)
from genbench.testing.fixtures import Fixtures
from genbench.testing.outcomes import CheckFailed, CheckSkipped, Result, Status, Verdict, reason_of
from genbench.testing.subject import Subject, Target, find, label_of

Function = Callable[[Fixtures], None]

LOADS, SKIPPED_ALL = "loads", "not-everything-skipped"

OF_KIND: Mapping[str, tuple[Function, ...]] = {
    "model": (*model_checks.CHECKS, *training_checks.CHECKS),
    "metric": metric_checks.CHECKS,
    "dataset": dataset_checks.CHECKS,
    "extractor": extractor_checks.CHECKS,
    "engine": engine_checks.CHECKS,
}


OF_ABILITY: Mapping[str, Mapping[str, tuple[Function, ...]]] = {
    "model": ability_checks.CHECKS,
    "dataset": {"log_prob": density_checks.CHECKS},
}
"""Checks of what some plugins of a kind can do, and others cannot."""

OF_TRAINING = (model_checks.check_shapes, training_checks.check_learns)
"""Checks that ask for what a model of trains = False does not do."""

FORM: Mapping[str, tuple[Function, ...]] = {
    "model": search_checks.CHECKS,
    "metric": metric_checks.FORM,
    "dataset": dataset_checks.FORM,
}
"""Checks of a kind that look at its form alone, as those of every plugin do."""


@dataclass(frozen=True)
class Check:
    """A named check. of_kind says that it looks at what its kind of plugin is for, and not at its form alone."""

    function: Function
    of_kind: bool = False

    @property
    def name(self) -> str:
        """Return the name it is known by: second-fit-forgets."""
        return self.function.__name__.removeprefix("check_").replace("_", "-")

    @property
    def summary(self) -> str:
        """Return what must hold, in a sentence."""
        return (self.function.__doc__ or "").strip()


def checks_of(subject: Subject) -> list[Check]:
    """Return the checks for a subject: every plugin's, its kind's, and those of the abilities it has."""
    form = (*plugin_checks.CHECKS, *FORM.get(subject.kind.name, ()))
    return [Check(f) for f in form] + [Check(f, of_kind=True) for f in _of_kind(subject)]


def _of_kind(subject: Subject) -> Iterator[Function]:
    of_kind = OF_KIND[subject.kind.name]
    if getattr(subject.cls, "trains", True) is False:
        of_kind = (*(each for each in of_kind if each not in OF_TRAINING), *pretrained_checks.CHECKS)
    yield from of_kind
    known = OF_ABILITY.get(subject.kind.name, {})
    for ability in abilities(subject.cls):
        yield from known.get(ability, ())


def all_checks() -> dict[str, list[Check]]:
    """Return every check there is, by what it is for: plugin, a kind, or an ability."""
    found = {"every plugin": [Check(f) for f in plugin_checks.CHECKS]}
    found |= {kind: [Check(f, True) for f in (*FORM.get(kind, ()), *fs)] for kind, fs in OF_KIND.items()}
    found["model with trains = False"] = [Check(f, True) for f in pretrained_checks.CHECKS]
    for kind, of_ability in OF_ABILITY.items():
        found |= {f"{kind} with {name}": [Check(f, True) for f in fs] for name, fs in of_ability.items()}
    return {group: checks for group, checks in found.items() if checks}


@dataclass
class Session:
    """The checks of one subject under way: they share trained models, and what was skipped is counted at the end.

    expected are the reasons, by name, of checks that are known to fail: what they raise excuses no other.
    """

    subject: Subject
    dataset: str = DATASET
    device: str = "cpu"
    expected: Mapping[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._fixtures = Fixtures(self.subject, self.dataset, self.device)
        self._first_checks: dict[str, str] = {}
        self.checks = checks_of(self.subject)

    def perform(self, check: Check) -> Result:
        """Perform one check; return what became of it. Raises nothing but what stops the process.

        What the plugin raised in an earlier check is reported there alone; later checks say that it was raised.
        """
        started = time.perf_counter()
        status: Status = "passed"
        reason = ""
        try:
            check.function(self._fixtures)
        except CheckSkipped as skipped:
            status, reason = "skipped", reason_of(skipped, None)
        except Unsupported as refusal:
            status, reason = "skipped", f"it refuses what it is tried on: {printable(refusal)}"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # compiled code has exceptions of its own, which are no Exception
            status, reason = "failed", reason_of(error, self.subject.file)
            if (first := self._check_that_raised(reason)) not in ("", check.name):
                status, reason = "skipped", f"it raised what it did in {first}"
            elif check.name not in self.expected:
                raised = error.__context__ if isinstance(error, CheckFailed) else error
                if raised is not None:
                    self._first_checks.setdefault(_without_numbers(describe(raised)), check.name)
        self.results.append(Result(check.name, status, reason, time.perf_counter() - started))
        return self.results[-1]

    def _check_that_raised(self, reason: str) -> str:
        """Return the check that first reported the exception a reason names, whatever the sizes; "" for none."""
        seen = _without_numbers(reason)
        ways = (
            (rf"(raised|failed:) (\w+\.)*{re.escape(raised)}( \(at |;|$)", name)
            for raised, name in self._first_checks.items()
        )
        return next((name for way, name in ways if re.search(way, seen)), "")

    def closing(self) -> Result:
        """Return whether anything was looked at that this kind of plugin is for.

        Checks that were not performed here, in another process or by nobody, are until one of them is not skipped.
        """
        kind, own = self.subject.kind.name, [check for check in self.checks if check.of_kind]
        if any(result.status == "failed" and result.check not in self.expected for result in self.results):
            return Result(SKIPPED_ALL, "passed")
        known = {result.check: result for result in self.results}
        for check in own:
            result = known[check.name] if check.name in known else self.perform(check)
            if result.status != "skipped":
                return Result(SKIPPED_ALL, "passed")
        return Result(
            SKIPPED_ALL,
            "failed",
            f"every check of {'an' if kind[0] in 'aeiou' else 'a'} {kind} was skipped, so nothing is known of it: "
            f"{result.reason}; expected some that look at it. Provide what they lack (files, options, another dataset)",
        )

    def unknown(self, expected: Iterable[str]) -> str:
        """Return what is wrong with failures that are expected of checks there are none of, or ""."""
        known = [*(check.name for check in self.checks), SKIPPED_ALL]
        wrong = [name for name in expected if name not in known]
        if not wrong:
            return ""
        message = f"a failure of {printable(wrong[0])!r} is expected, and {self.subject.label} has no such check."
        return f"{message}{did_you_mean(wrong[0], known)} See: genbench check --list"


def _without_numbers(text: str) -> str:
    return re.sub(r"\d[\d,]*", "", text)


def perform_all(
    target: Target,
    expected_failures: Mapping[str, str] | None = None,
    dataset: str = DATASET,
    device: str = "cpu",
    kind: str | None = None,
) -> Iterator[Result]:
    """Yield the results of every check of a target, as they come. Raises nothing but what stops the process."""
    expected = dict(expected_failures or {})
    started = time.perf_counter()
    try:
        session = Session(find(target, kind), dataset, device, expected)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # compiled code has exceptions of its own, which are no Exception
        yield Result(LOADS, "failed", printable(error, 1000), time.perf_counter() - started)
        return
    yield Result(LOADS, "passed", seconds=time.perf_counter() - started)
    if wrong := session.unknown(expected):
        yield Result("expected-failures", "failed", wrong)
    for check in session.checks:
        yield judged(session.perform(check), expected)
    yield judged(session.closing(), expected)


def judged(result: Result, expected: Mapping[str, str]) -> Result:
    """Return a result in the light of what was expected: a failure that was, or a pass that was not."""
    if result.check not in expected or result.status == "skipped":
        return result
    why = expected[result.check]
    if result.status == "failed":
        return Result(result.check, "expected failure", f"{why} ({result.reason})", result.seconds)
    return Result(
        result.check,
        "unexpected pass",
        f"expected to fail ({why}), and it passed; expected failures are strict. Take it out of expected_failures.",
        result.seconds,
    )


def check(
    target: Target,
    expected_failures: Mapping[str, str] | None = None,
    *,
    dataset: str = DATASET,
    device: str = "cpu",
    kind: str | None = None,
) -> Verdict:
    """Check a plugin; return the result of every check, and never raise.

    Args:
        target: a registered name with options ("vae[epochs=20]"), "module:Class", "FILE.py:Class", or a class.
        expected_failures: reasons, by the names of checks that are known to fail; one that passes then counts as wrong.
        dataset: the real images that show whether a model learns, and what metrics and extractors are tried on.
        device: what to train and score on.
        kind: the kind that is meant where a name has several: model, metric, dataset, extractor or engine.
    """
    return Verdict(label_of(target), tuple(perform_all(target, expected_failures, dataset, device, kind)))
