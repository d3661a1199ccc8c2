"""Options described and validated before anything trains."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le

import genbench
from genbench.errors import PluginError, RequestError
from genbench.registry.options import complete, construct, declared


@dataclass(eq=False)
class Sample(genbench.FeatureExtractor):
    """Has one option of each kind."""

    rate: Annotated[float, Gt(0)] = 0.5
    count: Annotated[int, Ge(1), Le(9)] = 3
    sizes: tuple[int, ...] = (1, 2)
    loss: Literal["minimax", "non-saturating"] = "minimax"
    name: str = "x"
    on: bool = False
    maybe: float | None = None
    memory: int = genbench.setting(256)

    @property
    def digest(self) -> str:
        return ""

    def features(self, images: Any) -> Any:
        return images


def test_defaults_are_json() -> None:
    assert complete(Sample, "sample", {}) == {
        "rate": 0.5, "count": 3, "sizes": [1, 2], "loss": "minimax", "name": "x", "on": False, "maybe": None, "memory": 256
    }  # fmt: skip


def test_canonical_form_does_not_depend_on_spelling() -> None:
    given = complete(Sample, "sample", {"rate": 1, "sizes": [3], "maybe": 2})
    assert (given["rate"], given["sizes"], given["maybe"]) == (1.0, [3], 2.0)
    assert isinstance(given["rate"], float)
    assert construct(Sample, given).sizes == (3,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 0}, "option rate is 0; expected float > 0"),
        ({"rate": -1.5}, r"option rate is -1\.5"),
        ({"rate": math.nan}, "option rate is NaN"),
        ({"rate": math.inf}, "option rate is Infinity"),
        ({"rate": "big"}, "option rate is big; expected float"),
        ({"rate": True}, "option rate is true"),
        ({"count": 0}, "option count is 0; expected int >= 1 <= 9"),
        ({"count": 1.0}, r"option count is 1\.0"),
        ({"count": True}, "option count is true"),
        ({"sizes": 3}, "option sizes is 3; expected list of int"),
        ({"sizes": [1, "a"]}, "option sizes"),
        ({"loss": "hinge"}, "option loss is hinge; expected minimax or non-saturating"),
        ({"name": 3}, "option name is 3; expected text"),
        ({"on": 1}, "option on is 1; expected bool"),
        ({"rat": 1}, "has no option 'rat'. Did you mean rate?"),
        ({"zzz": 1}, "has no option 'zzz'. Known: rate, count"),
    ],
)
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        complete(Sample, "sample", given)


def test_settings_are_no_part_of_the_identity() -> None:
    assert [name for name, option in declared(Sample).items() if not option.identity] == ["memory"]


def test_a_class_that_is_no_dataclass_is_refused() -> None:
    class Plain(Sample):
        """Inherits, but is not decorated."""

    with pytest.raises(PluginError, match="is no dataclass: decorate it"):
        declared(Plain)


def test_a_field_without_default_is_refused() -> None:
    @dataclass(eq=False)
    class Bare:
        size: int

    with pytest.raises(PluginError, match="options cannot be read"):
        declared(Bare)
