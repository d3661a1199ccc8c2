"""The checks as tests of pytest, one for each, with failures that are expected marked strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genbench.defaults import DATASET
from genbench.testing.kit import SKIPPED_ALL, Check, Session
from genbench.testing.outcomes import CheckFailed, Result
from genbench.testing.subject import Target, find, label_of

if TYPE_CHECKING:
    import pytest

Expected = Mapping[Target, Mapping[str, str]]


def parametrize_with_checks(
    targets: Sequence[Target],
    *,
    expected_failures: Expected | None = None,
    dataset: str = DATASET,
    device: str = "cpu",
    kind: str | None = None,
) -> pytest.MarkDecorator:
    """Return a decorator that makes a test of every check of every target: `def test_conformance(check): check()`.

    expected_failures gives, by target, the reasons for checks that are known to fail; they are marked xfail, strictly.
    The ids are "target-check". See `genbench.testing.check` for what a target may be.
    """
    import pytest

    expected = expected_failures or {}
    if strangers := [label_of(target) for target in expected if target not in targets]:
        raise ValueError(f"failures are expected of {', '.join(strangers)}, which is not among the targets")
    cases = [case for t in targets for case in _cases(t, expected.get(t, {}), dataset, device, kind)]
    return pytest.mark.parametrize("check", cases)


def _cases(target: Target, expected: Mapping[str, str], dataset: str, device: str, kind: str | None) -> Iterator[Any]:
    import pytest

    label = label_of(target)
    try:
        session = Session(find(target, kind), dataset, device, expected)
    except Exception as error:
        yield pytest.param(_raiser(str(error)), id=f"{label}-loads")
        return
    if wrong := session.unknown(expected):
        raise ValueError(wrong)
    tests = [*(_performer(session, check) for check in session.checks), _closer(session)]
    for test in tests:
        name = test.__name__
        marks = [pytest.mark.xfail(strict=True, reason=expected[name])] if name in expected else []
        yield pytest.param(test, id=f"{label}-{name}", marks=marks)


class _Test:
    """What a test is handed: called, it passes, fails or skips. Prints as the check's name."""

    def __init__(self, name: str, perform: Any) -> None:
        self.__name__ = name
        self._perform = perform

    def __call__(self) -> None:
        """Perform the check. Raises CheckFailed, or what skips a test."""
        import pytest

        result: Result = self._perform()
        if result.status == "skipped":
            pytest.skip(result.reason)
        if result.status == "failed":
            raise CheckFailed(f"{result.check}: {result.reason}")

    def __repr__(self) -> str:
        return f"<check {self.__name__}>"


def _performer(session: Session, check: Check) -> _Test:
    return _Test(check.name, lambda: session.perform(check))


def _closer(session: Session) -> _Test:
    return _Test(SKIPPED_ALL, session.closing)


def _raiser(reason: str) -> _Test:
    return _Test("loads", lambda: Result("loads", "failed", reason))
