"""The Inception score is torch-fidelity's, has its closed forms, and refuses what is no distribution."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from genbench.numerics.inception_score import inception_scores, inception_scores_of_probabilities


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_one_sure_answer_of_each_class_copied_and_drawn_at_random_has_about_the_best_score() -> None:
    rows = torch.randperm(5_000, generator=torch.Generator().manual_seed(0)) % 10
    score = inception_scores(100 * torch.eye(10)[rows], 10).mean().item()
    assert 9.8 < score < 10  # each part has a few more of one class than of another


@pytest.mark.parametrize("splits", [1, 3, 10])
@pytest.mark.parametrize(("n", "classes"), [(100, 10), (1003, 37)])
@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_agrees_with_torch_fidelity(n: int, classes: int, splits: int, scale: float) -> None:
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = normal(n, classes) * scale
    expected = isc_features_to_metric(logits, splits, shuffle=False)
    found = inception_scores(logits, splits)
    assert found.mean().item() == pytest.approx(expected["inception_score_mean"], rel=1e-9)
    assert found.std(correction=0).item() == pytest.approx(expected["inception_score_std"], rel=1e-6, abs=1e-12)


def test_agrees_with_torch_fidelity_in_its_own_order() -> None:
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = normal(500, 20)
    order = torch.from_numpy(np.random.RandomState(2020).permutation(500))
    expected = isc_features_to_metric(logits)
    assert inception_scores(logits[order]).mean().item() == pytest.approx(expected["inception_score_mean"], rel=1e-9)


def test_sure_and_varied_answers_score_their_number() -> None:
    sure = torch.eye(7).repeat(20, 1)
    assert inception_scores_of_probabilities(sure, splits=2).tolist() == pytest.approx([7, 7], rel=1e-14)
    assert inception_scores(1e4 * sure, splits=4).tolist() == pytest.approx([7] * 4, rel=1e-14)


@pytest.mark.parametrize("logits", [torch.zeros(30, 5), torch.arange(5.0).expand(30, 5)])
def test_the_same_answer_always_scores_one(logits: Tensor) -> None:
    assert inception_scores(logits, splits=3).tolist() == pytest.approx([1, 1, 1], rel=1e-14)


def test_logits_and_probabilities_score_alike() -> None:
    logits = normal(200, 12)
    found = inception_scores_of_probabilities(logits.double().softmax(1))
    torch.testing.assert_close(found, inception_scores(logits), rtol=1e-12, atol=0)


def test_order_within_a_part_and_of_classes_does_not_matter() -> None:
    logits = normal(200, 12)
    expected = inception_scores(logits, splits=1)
    torch.testing.assert_close(inception_scores(logits.flip(0).flip(1) + 5, splits=1), expected, rtol=1e-6, atol=0)


def test_the_standard_error_is_the_spread_over_draws() -> None:
    scores = [inception_scores(normal(200, 5, seed=seed), splits=5) for seed in range(300)]
    spread = np.std([score.mean().item() for score in scores])
    error = math.sqrt(np.mean([score.var().item() / 5 for score in scores]))
    assert error == pytest.approx(spread, rel=0.12)


@pytest.mark.parametrize(
    ("shape", "splits", "message"),
    [
        ((9, 5), 10, r"logits of shape \(9, 5\): expected rows, at least 10"),
        ((9, 5), 0, "0 splits: expected at least one"),
        ((9, 0), 1, "of at least one value"),
        ((9, 5, 2), 1, r"expected \(n, classes\)"),
        ((9,), 1, r"expected \(n, classes\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...], splits: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inception_scores(torch.zeros(shape), splits)


def test_what_is_no_distribution_is_refused() -> None:
    bad = normal(20, 4)
    bad[3, 1] = math.nan
    with pytest.raises(ValueError, match="logits hold NaN or infinity, first in row 3"):
        inception_scores(bad)
    with pytest.raises(ValueError, match="for logits there is inception_scores"):
        inception_scores_of_probabilities(normal(20, 4))
    with pytest.raises(ValueError, match=r"rows with sums from 0\.5 to 0\.5: expected"):
        inception_scores_of_probabilities(torch.full((20, 2), 0.25))
