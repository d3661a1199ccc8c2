"""Which options mattered, on scores that are made of them."""

import numpy as np
import pytest
from scipy import stats

from genbench.api import Range
from genbench.registry.search_space import Searched
from genbench.trial.identity import NO_BUDGET
from genbench.tuning.configurations import Configuration
from genbench.tuning.option_importance import LEAST, importances
from genbench.tuning.tried import Rung, Tried, TunedModel

SPACE = {
    "much": Searched("much", Range(0.0, 1.0)),
    "idle": Searched("idle", Range(1e-4, 1e-2, log=True)),
    "kind": Searched("kind", ("good", "bad")),
}


def model(n: int, score, higher_is_better: bool = True) -> TunedModel:
    random = np.random.default_rng(3)
    tried = []
    for number in range(n):
        values = {"much": random.random(), "idle": random.random(), "kind": random.choice(["good", "bad"])}
        tried.append(Tried(Configuration(number, "m", values), score(values, random)))
    return TunedModel("m", SPACE, [Rung(NO_BUDGET, tried)], higher_is_better)


def made(values, random) -> float | None:
    return -10 * values["much"] + 2 * (values["kind"] == "good")


def test_what_scores_are_made_of_is_found_with_its_direction() -> None:
    of = model(60, made)
    found = importances(of)
    assert found is not None
    assert [each.option for each in found.of] == ["much", "kind", "idle"]
    much, kind, idle = found.of
    assert much.share > 5 * kind.share
    assert abs(idle.share) < 0.1
    assert (kind.best, kind.rank_correlation) == ("good", None)
    values = [each.configuration.values["much"] for each in of.all_tried.tried]
    expected = stats.spearmanr(values, [each.score for each in of.all_tried.tried]).statistic
    assert much.rank_correlation == pytest.approx(expected)
    assert found.predicted > 0.8
    lower = importances(model(60, lambda values, random: -made(values, random), higher_is_better=False))
    assert lower == found


def test_failures_count_as_the_worst() -> None:
    found = importances(model(40, lambda values, random: None if values["much"] > 0.5 else random.random()))
    assert found is not None
    assert found.of[0].option == "much"
    assert found.of[0].rank_correlation < -0.5


def test_chance_is_not_taken_for_more() -> None:
    found = importances(model(60, lambda values, random: random.random()))
    assert found is not None
    assert found.predicted < 0.1


@pytest.mark.parametrize(("n", "score"), [(LEAST - 1, made), (60, lambda values, random: None), (60, lambda *_: 1.0)])
def test_too_few_say_nothing(n, score) -> None:
    assert importances(model(n, score)) is None
