"""The conformance kit itself: what is sound passes, and every check catches a plugin that breaks it."""

import re

import broken_plugins
import pytest
import torch

from genbench import testing
from genbench.testing.kit import Session, all_checks
from genbench.testing.outcomes import Result
from genbench.testing.subject import find

ELSEWHERE = {"registering-is-light"}
"""Checks that are broken by an installed plugin, in a test of their own."""


def performed(session: Session, name: str) -> Result:
    """Return the result of one check; of the closing one, after all others."""
    if name != "not-everything-skipped":
        return session.perform(next(check for check in session.checks if check.name == name))
    for check in session.checks:
        session.perform(check)
    return session.closing()


@pytest.mark.parametrize(
    "cls", [broken_plugins.Steady, broken_plugins.Nearest, broken_plugins.Stripes, broken_plugins.Plain]
)
def test_a_sound_plugin_passes_every_check(cls: type) -> None:
    verdict = testing.check(cls)
    assert verdict.ok, [f"{result.check}: {result.reason}" for result in verdict.failures]
    assert {result.check for result in verdict if result.status == "skipped"} <= {
        "registering-is-light",
        "works-on-cuda",
    }


@pytest.mark.parametrize(
    ("name", "cls", "saying"), broken_plugins.BROKEN, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_broken_plugin_is_caught_by_the_check_named_for_it(name: str, cls: type, saying: str) -> None:
    if name == "works-on-cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device is here")
    result = performed(Session(find(cls)), name)
    assert result.status == "failed"
    assert re.search(saying, result.reason), result.reason


def test_every_check_has_a_plugin_that_breaks_it() -> None:
    names = {check.name for checks in all_checks().values() for check in checks} | {"not-everything-skipped"}
    assert {name for name, *_ in broken_plugins.BROKEN} | ELSEWHERE == names


def test_every_check_says_what_it_asks_for() -> None:
    for checks in all_checks().values():
        for check in checks:
            assert re.fullmatch(r"[A-Zx][^\n]+\.", check.summary) or check.summary[0].islower(), check.name


def test_registering_must_be_light(toy: str) -> None:
    result = performed(Session(find("toy")), "registering-is-light")
    assert result.status == "failed"
    assert result.reason.startswith("registering toy imports torch, numpy; expected nothing heavy")
    assert 'register it by text: "genbench_toy:Toy"' in result.reason
