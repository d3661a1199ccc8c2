"""What comments say of options."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

import genbench
from genbench.registry.comments import meanings


@dataclass
class Below:
    """A class that others inherit from."""

    lr: float = 0.1  # of Adam
    width: int = 3  # of everything
    plain: int = 0


@dataclass
class Above(Below):
    """Fields in every form."""

    width: Annotated[int, Gt(0)] = 4  # of the top: # and all
    kind: Literal["#a", "b"] = "#a"
    fast: int = genbench.setting(1)  # how fast
    odd: int = 1  # type: ignore[misc]

    def method(self) -> None:
        """Hold what is no field."""
        lr: int = 3  # a local, no option
        del lr


def test_comments_behind_fields_are_found_and_nothing_else() -> None:
    assert meanings(Above) == {"lr": "of Adam", "width": "of the top: # and all", "fast": "how fast"}


def test_a_class_without_a_text_has_none() -> None:
    assert meanings(type("Made", (), {})) == {}
    assert meanings(int) == {}


def test_show_prints_them(cli) -> None:
    assert "standard deviation of the Gaussian" in " ".join(cli("show vae")[1].split())
