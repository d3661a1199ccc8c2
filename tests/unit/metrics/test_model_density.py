"""log-likelihood and bound: scales by densities that are known by hand, bounds by a decoder of known evidence."""

import math

import numpy as np
import pytest
import torch
from linear_gaussian import LinearGaussian
from scored_models import Given
from torch import Tensor

from genbench.api import Space
from genbench.numerics.importance import log_mean_and_error, summary
from genbench_plugins.metrics import bound as bound_module
from genbench_plugins.metrics.bound import LikelihoodBound
from genbench_plugins.metrics.log_likelihood import LogLikelihood

SPACE = Space((1, 2, 3), None, (-1.0, 3.0))
"""Six values within bounds four apart."""


class Uniform:
    """Every value within the bounds alike; or each of two alike."""

    def __init__(self, observations: str = "real") -> None:
        self.observations = observations
        self.asked: list[Tensor] = []

    def log_prob(self, x: Tensor) -> Tensor:
        self.asked.append(x)
        assert x.min() >= -1
        assert x.max() <= 3
        return x.new_full((len(x),), -6 * math.log(4 if self.observations == "real" else 2))


def grey(n: int = 500, levels: int = 256) -> Tensor:
    steps = torch.randint(0, levels, (n, *SPACE.shape), generator=torch.Generator().manual_seed(1))
    return 4 * steps / (levels - 1) - 1


def scored(metric, model, images: Tensor):
    given = Given(model, images, SPACE)
    assert metric.skip(given) is None
    return metric.evaluate(given)


# Scales


@pytest.mark.parametrize(
    ("metric", "bits"),
    [(LogLikelihood(), 0.0), (LogLikelihood(levels=256), 8.0), (LogLikelihood("binary"), 1.0)],
)
def test_bits_of_uniform_images(metric: LogLikelihood, bits: float) -> None:
    score = scored(metric, Uniform(metric.observations), grey())
    assert score.extras["bits_per_dim"] == pytest.approx(bits, abs=1e-6)
    assert score.value == pytest.approx(-6 * math.log(4 if metric.observations == "real" else 2))
    assert score.stderr == pytest.approx(0, abs=1e-9)


def test_levels_of_any_number() -> None:
    score = scored(LogLikelihood(levels=17), Uniform(), grey(levels=17))
    assert score.extras["bits_per_dim"] == pytest.approx(math.log2(17), abs=1e-6)


def test_values_are_as_they_are_unless_asked() -> None:
    model, images = Uniform(), grey()
    scored(LogLikelihood(), model, images)
    assert torch.equal(torch.cat(model.asked), images)


def test_noise_stays_within_a_level() -> None:
    model, images = Uniform(), grey()
    scored(LogLikelihood(levels=256), model, images)
    cell = (torch.cat(model.asked) + 1) / 4 * 256
    assert torch.equal(cell.floor(), ((images + 1) / 4 * 255).round())
    inside = (cell - cell.floor()).flatten().numpy()
    assert np.histogram(inside, 4, (0, 1))[0] == pytest.approx(len(inside) / 4, rel=0.1)


def test_pixels_are_drawn_once_to_the_least_or_greatest_value() -> None:
    model, images = Uniform("binary"), grey(20_000)
    scored(LogLikelihood("binary"), model, images)
    scored(LogLikelihood("binary"), model, images)
    first, again = torch.cat(model.asked).chunk(2)
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) == {-1.0, 3.0}
    for low, high in ((0, 0.1), (0.45, 0.55), (0.9, 1)):
        unit = (images + 1) / 4
        drawn = first[(unit >= low) & (unit <= high)] == 3
        assert drawn.double().mean().item() == pytest.approx((low + high) / 2, abs=0.01)
    assert (first[images == -1] == -1).all()
    assert (first[images == 3] == 3).all()


def test_a_learned_normaliser_is_noted() -> None:
    class Learned(Uniform):
        def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
            return torch.zeros(chains)

    assert scored(LogLikelihood(), Uniform(), grey(10)).notes == ()
    (note,) = scored(LogLikelihood(), Learned(), grey(10)).notes
    assert "normaliser is learned" in note


def test_the_error_is_that_of_a_mean() -> None:
    class Sums(Uniform):
        def log_prob(self, x: Tensor) -> Tensor:
            return x.flatten(1).sum(1)

    images = grey()
    score = scored(LogLikelihood(), Sums(), images)
    sums = images.flatten(1).double().sum(1).numpy()
    assert score.value == pytest.approx(sums.mean())
    assert score.stderr == pytest.approx(sums.std() / np.sqrt(500))
    np.testing.assert_allclose(score.per_example.numpy(), sums, rtol=1e-5, atol=1e-5)


def test_tables_of_both_kinds_are_told_apart_by_their_titles() -> None:
    assert (LogLikelihood().title, LogLikelihood("binary").title) == (
        "Log-likelihood by the model's own density",
        "Log-likelihood by the model's own density, binary images",
    )


# What is not scored


@pytest.mark.parametrize(
    ("metric", "model", "reason"),
    [
        (LogLikelihood(), object(), "the model cannot evaluate its density: no log_prob(x)"),
        (
            LogLikelihood(),
            Uniform("binary"),
            "the model's density is of binary images, and this column of real pixel values: ask for observations=binary",
        ),
        (
            LogLikelihood("binary"),
            Uniform(),
            "the model's density is of real pixel values, and this column of binary images: ask for observations=real",
        ),
        (
            LogLikelihood(levels=17),
            Uniform(),
            "images have other values than 17 even steps within the bounds: give levels=N for the grey levels that they have, or levels=0 for values as they are",
        ),
        (
            LikelihoodBound(),
            Uniform(),
            "the model has no bound on its density: neither log_weights(x, k, generator) nor bound(x)",
        ),
    ],
)
def test_why_nothing_can_be_said(metric, model: object, reason: str) -> None:
    assert metric.skip(Given(model, grey(), SPACE)) == reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": 1}, "levels is 1: expected"),
        ({"levels": 2, "observations": "binary"}, "levels is 2 with observations=b"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogLikelihood(**options)


@pytest.mark.parametrize(
    ("log_p", "message"),
    [
        (lambda x: x.flatten(1), r"log_prob returned \(128, 6\) for 128 images; expected one for each"),
        (lambda x: x.flatten(1).sum(1) / 0 * 0, "log_prob is not finite for 500 of 500 images: expected finite nats"),
    ],
)
def test_what_is_no_likelihood_is_refused(log_p, message: str) -> None:
    model = Uniform()
    model.log_prob = log_p
    with pytest.raises(ValueError, match=message):
        scored(LogLikelihood(), model, grey())


# Bounds


@pytest.fixture(scope="module")
def decoder() -> LinearGaussian:
    return LinearGaussian()


@pytest.fixture(scope="module")
def images(decoder: LinearGaussian) -> Tensor:
    return decoder.sample(300, torch.Generator().manual_seed(5)).float()


def bound_of(decoder: LinearGaussian, images: Tensor, k: int):
    given = Given(decoder, images, decoder.space)
    metric = LikelihoodBound(k=k)
    assert metric.skip(given) is None
    return metric.evaluate(given)


def test_the_mean_of_log_weights_is_the_elbo(decoder, images) -> None:
    score = bound_of(decoder, images, 2_000)
    assert score.extras["elbo"] == pytest.approx(decoder.elbo(images).mean(), abs=0.02)


def test_bounds_rise_to_the_evidence(decoder, images) -> None:
    evidence = decoder.evidence(images).mean()
    values = [bound_of(decoder, images, k).value for k in (1, 10, 100, 5_000)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(decoder.elbo(images).mean(), abs=0.5)
    assert values[-1] < evidence + 0.01
    assert values[-1] == pytest.approx(evidence, abs=0.02)
    assert evidence - values[0] > 1


def test_weights_are_summed_a_few_at_a_time(images, monkeypatch) -> None:
    class Counting(LinearGaussian):
        """Its i-th draw for an image has the log weight -i/10, whatever the blocks."""

        done, most = 0, 0

        def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
            self.done, start, self.most = self.done + k, self.done, max(self.most, k)
            return -torch.arange(start, start + k)[:, None].expand(-1, len(x)) / 10

    monkeypatch.setattr(bound_module, "VALUES", 50 * 4 * 7)
    model = Counting()
    score = bound_of(model, images[:50], 40)
    log_w = -np.arange(40) / 10
    assert (model.done, model.most) == (40, 7)
    assert score.value == pytest.approx(np.log(np.exp(log_w).mean()), rel=1e-6)
    assert score.extras["elbo"] == pytest.approx(log_w.mean(), rel=1e-6)


def test_a_bound_of_the_models_own_is_taken_at_one_draw() -> None:
    class Own(Uniform):
        def bound(self, x: Tensor) -> Tensor:
            return self.log_prob(x) - 1

    assert scored(LikelihoodBound(k=1), Own(), grey()).value == pytest.approx(-6 * math.log(4) - 1)
    reason = "the model has a bound of its own, and no log_weights for others: ask for k=1"
    assert LikelihoodBound().skip(Given(Own(), grey(), SPACE)) == reason


def test_weights_of_another_shape_are_refused(decoder, images) -> None:
    class Turned(LinearGaussian):
        def log_weights(self, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
            return super().log_weights(x, k, generator).T

    with pytest.raises(ValueError, match=r"returned \(10, 2\) for 10 images; expected \(2, 10\)"):
        bound_of(Turned(), images[:10], 2)


# Sums of weights


def test_sums_of_weights_by_numpy() -> None:
    log_w = torch.from_numpy(np.random.RandomState(0).normal(-700, 3, (30, 5)))
    found = summary(torch.split(log_w, 7))
    w = np.exp(log_w.numpy() + 700)
    np.testing.assert_allclose(found.log_mean.numpy(), np.log(w.mean(0)) - 700, rtol=1e-12)
    np.testing.assert_allclose(found.mean_log.numpy(), log_w.numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.effective.numpy(), w.sum(0) ** 2 / (w**2).sum(0), rtol=1e-9)
    mean, error = log_mean_and_error(log_w[:, 0])
    assert mean == pytest.approx(found.log_mean[0].item())
    assert error == pytest.approx(w[:, 0].std(ddof=1) / np.sqrt(30) / w[:, 0].mean())


def test_a_weight_of_nothing_counts() -> None:
    found = summary([torch.tensor([[0.0], [-math.inf]])])
    assert found.log_mean.item() == pytest.approx(-math.log(2))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "no log weights: expected at least one for each image"),
        ([torch.tensor([[math.nan]])], "log weights hold NaN or infinity: expected finite values"),
        ([torch.tensor([[math.inf]])], "log weights hold NaN or infinity: expected finite values"),
    ],
)
def test_what_are_no_weights_is_refused(blocks, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summary(blocks)


def test_one_weight_has_no_error() -> None:
    with pytest.raises(ValueError, match="1 log weights: expected at least 2, whose spread gives the error"):
        log_mean_and_error(torch.zeros(1))
