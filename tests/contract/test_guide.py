"""The plugin guide is true: its code runs, its commands print what it shows, its tables name what there is."""

import inspect
import re
from pathlib import Path

import pytest
from guide import BLOCK, GUIDE, Reader

from genbench import hookspecs
from genbench.abilities import ABILITIES
from genbench.api import Register

TEXT = GUIDE.read_text()


def alike(lines: list[str]) -> str:
    """Return what lines say without what differs between machines: digits, widths, where they are broken, durations."""
    text = re.sub(r"[-\d.,]+", "#", re.sub(r" \(\d+:\d\d:\d\d\)", "", " ".join(lines)).replace("─", ""))
    return re.sub(r"\s+", " ", re.sub(r"# min( # s)?", "# s", text)).strip()


@pytest.mark.slow
def test_the_guide_can_be_followed(tmp_path: Path) -> None:
    count = 0
    for command in Reader(tmp_path).follow(TEXT):
        count += 1
        assert command.code == 0, (command.line, command.printed)
        assert alike(command.printed) == alike(command.shown), command.line
    assert count > 12


def lines_of(title: str) -> list[str]:
    block = next(match for match in BLOCK.finditer(TEXT) if match["title"] == title)
    return [line for line in block["text"].splitlines() if line.strip()]


def test_the_first_model_and_metric_are_short() -> None:
    assert len(lines_of("mine.py")) <= 25
    assert len(lines_of("ink.py")) <= 20


def test_every_hook_stands_in_the_guide_with_its_arguments() -> None:
    hooks = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("register_")}
    told = set(re.findall(r"\| `(register_\w+\([^)]*\))` \|", TEXT))
    assert told == {f"{name}({', '.join(inspect.signature(hook).parameters)})" for name, hook in hooks.items()}
    signature = inspect.signature(Register.__call__)
    arguments = ", ".join(
        "*, summary" if p.kind is p.KEYWORD_ONLY else p.name for p in list(signature.parameters.values())[1:]
    )
    assert f"`register({arguments})`" in TEXT


def test_every_ability_stands_in_the_guide_with_its_arguments() -> None:
    for name, protocol in ABILITIES.items():
        arguments = ", ".join(list(inspect.signature(getattr(protocol, name)).parameters)[1:])
        assert f"`{name}({arguments})`" in TEXT
