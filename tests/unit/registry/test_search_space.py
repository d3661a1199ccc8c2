"""What models declare that they are tuned over."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from annotated_types import Gt, Le
from tunable import Darker, Fixed, Grey

import genbench
from genbench.errors import PluginError
from genbench.registry.search_space import search_space
from genbench.testing.fixtures import Fixtures
from genbench.testing.search_checks import check_search_space
from genbench.testing.subject import find
from genbench_plugins.builtin import MODELS

REFERENCES = ("train-data", "gaussian", "kmeans", "pca")


@dataclass(eq=False)
class Tuned(genbench.Model):
    """Has an option of each kind."""

    rate: Annotated[float, Gt(0)] = 0.5
    count: Annotated[int, Le(9)] = 3
    either: int | float = 1
    name: str = "x"
    weights: genbench.File | None = None
    memory: int = genbench.setting(256)

    def build(self, space: Any, device: Any) -> None: ...
    def fit(self, data: Any, run: Any) -> None: ...
    def sample(self, n: int, generator: Any) -> Any: ...


def declared(monkeypatch: pytest.MonkeyPatch, search: object):
    monkeypatch.setattr(Tuned, "search", search)
    return search_space(Tuned)


def test_ranges_are_of_whole_numbers_where_the_option_takes_no_others(monkeypatch) -> None:
    over = {"rate": genbench.Range(1, 9), "count": genbench.Range(1, 9), "either": genbench.Range(1, 9)}
    found = declared(monkeypatch, over)
    assert {name: each.whole for name, each in found.items()} == {"rate": False, "count": True, "either": False}
    assert [each.in_words for each in found.values()] == ["1 to 9", "1 to 9, whole numbers", "1 to 9"]


def test_in_words(monkeypatch) -> None:
    found = declared(monkeypatch, {"rate": genbench.Range(1e-4, 0.1, log=True), "name": ["a", "b c"]})
    assert [each.in_words for each in found.values()] == ["0.0001 to 0.1, log scale", 'a or "b c"']


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (3, "search is 3; expected ranges or lists of values by option"),
        ({"rat": genbench.Range(1, 2)}, "search names rat, which is no option. Did you mean rate"),
        ({"memory": genbench.Range(1, 2)}, "search names memory, a setting, which changes no result"),
        ({"weights": ("a", "b")}, "search names weights, a file"),
        ({"rate": 0.5}, r"search of rate is 0\.5; expected genbench\.Range\(low, high\) or values"),
        ({"name": "ab"}, "search of name is 'ab'; expected genbench"),
        ({"name": ("a",)}, r"search of name is \('a',\); expected"),
        ({"name": ("a", "b", "a")}, "expected each value once"),
        ({"name": ("a", 3)}, "search of name: Tuned: option name is 3; expected text"),
        ({"rate": genbench.Range(0, 1)}, r"option rate is 0; expected float > 0"),
        ({"count": genbench.Range(1, 10)}, r"option count is 10; expected int <= 9"),
        ({"count": genbench.Range(1.5, 9)}, r"option count is 1\.5"),
        ({"rate": genbench.Range(2, 1)}, "expected low < high"),
        ({"either": genbench.Range(0, 1, log=True)}, "is on a log scale; expected low > 0"),
        ({"rate": genbench.Range(1, float("inf"))}, "has ends that are no finite numbers"),
        ({"rate": genbench.Range(True, 2)}, "has ends that are no finite numbers"),
    ],
)
def test_what_no_option_takes_is_refused(search, message: str, monkeypatch) -> None:
    with pytest.raises(PluginError, match=message):
        declared(monkeypatch, search)


def test_a_subclass_has_the_space_of_its_base_or_its_own() -> None:
    assert search_space(Darker) == search_space(Grey)
    assert search_space(Fixed) == {}


def test_it_is_shown_with_a_model(cli, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = cli("show vae")[1].splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith("search: what genbench tune draws from")]
    shown = [" ".join(line.split()) for line in lines[place + 1 :]]
    assert "latent 4 to 100, whole numbers, log scale" in shown
    assert "activation relu or tanh or softplus or silu" in shown
    assert "search:" not in cli("show pca")[1]


@pytest.mark.parametrize("name", MODELS)
def test_trained_built_in_models_declare_three_to_eight_options_that_they_can_be_made_with(name: str) -> None:
    subject = find(name, "model")
    check_search_space(Fixtures(subject))
    space = search_space(subject.cls)
    assert len(space) in (range(1) if name in REFERENCES else range(3, 9))
    assert "epochs" not in space  # how long they train is what budgets are for
