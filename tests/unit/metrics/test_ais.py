"""ais: decoders of known evidence, a machine whose states are enumerated, and what is told beside a score."""

import itertools
import math

import numpy as np
import pytest
import torch
from linear_gaussian import LinearGaussian
from scored_models import Given
from torch import Tensor

from genbench.api import Space
from genbench_plugins.metrics import decoder_evidence
from genbench_plugins.metrics.ais import AIS, OF_A_BOUND, TOO_GREAT, TOO_SMALL
from genbench_plugins.metrics.decoder_evidence import Annealing

SPACE = Space((1, 2, 2))
STATES = np.array(list(itertools.product((0.0, 1.0), repeat=4)), np.float32)


class Machine:
    """A restricted machine of four binary pixels and three units, annealed by a numpy loop of Gibbs steps."""

    observations = "binary"

    def __init__(self, strength: float = 1.0, spread: float = 0.0) -> None:
        random = np.random.RandomState(0)
        self.W, self.b, self.c = strength * random.normal(size=(3, 4)), random.normal(size=4), random.normal(size=3)
        self.spread = spread

    def free(self, v: np.ndarray, beta: float = 1.0) -> np.ndarray:
        """Return the free energy of rows of v with W times beta, (n,)."""
        return -v @ self.b - np.log1p(np.exp(self.c + beta * v @ self.W.T)).sum(1)

    def energy(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.free(x.flatten(1).numpy()))

    def log_partition(self, chains: int, temperatures: int, generator: torch.Generator) -> Tensor:
        random = np.random.RandomState(torch.randint(2**31, (1,), generator=generator).item())

        def drawn(a: np.ndarray) -> np.ndarray:
            return (random.uniform(size=a.shape) < 1 / (1 + np.exp(-a))).astype(float)

        v = drawn(np.tile(self.b, (chains, 1)))
        log_w = np.full(chains, np.log1p(np.exp(self.b)).sum() + np.log1p(np.exp(self.c)).sum())
        for t in range(1, temperatures + 1):
            log_w += self.free(v, (t - 1) / temperatures) - self.free(v, t / temperatures)
            h = drawn(self.c + t / temperatures * v @ self.W.T)
            v = drawn(self.b + t / temperatures * h @ self.W)
        return torch.from_numpy(log_w + self.spread * random.normal(size=chains) - self.spread**2 / 2)

    def log_z(self) -> float:
        """Return log Z by all 16 images and all 8 states of the units."""
        hidden = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
        terms = (STATES @ self.b)[:, None] + hidden @ self.c + STATES @ self.W.T @ hidden.T
        return float(np.log(np.exp(terms).sum()))


def images(n: int = 60) -> Tensor:
    rows = torch.randint(0, 16, (n,), generator=torch.Generator().manual_seed(1))
    return torch.from_numpy(STATES)[rows].view(n, *SPACE.shape)


def of_binary(model: object, seed: int = 0, **options):
    metric = AIS(observations="binary", images=40, chains=50, temperatures=30, **options)
    given = Given(model, images(), SPACE, seed)
    assert metric.skip(given) is None
    return metric.evaluate(given)


def test_a_machine_that_can_be_enumerated() -> None:
    """The score is the mean of -F(v) - log Z over the 40 images chosen, within three errors of log Z in 19 of 20."""
    machine = Machine()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:40]
    known = -machine.energy(images()[order]).numpy() - machine.log_z()
    assert np.exp(-machine.energy(torch.from_numpy(STATES)).numpy() - machine.log_z()).sum() == pytest.approx(1)
    within = []
    for seed in range(20):
        score = of_binary(machine, seed)
        error = (score.extras["log_z_high"] - score.extras["log_z_low"]) / (2 * 1.96)
        within.append(abs(score.value - known.mean()) < 3 * error)
        assert score.stderr == pytest.approx(math.hypot(known.std() / 40**0.5, error), rel=1e-6)
        assert score.extras["log_z"] == pytest.approx(machine.log_z(), abs=0.2)
        assert score.extras["bits_per_dim"] == pytest.approx(-score.value / 4 / math.log(2))
    assert sum(within) >= 19
    assert (score.notes, score.per_example, score.against) == ((TOO_GREAT,), None, 40)


def test_the_score_of_a_bound_says_so() -> None:
    class Bounded(Machine):
        energy = None

        def energy_bound(self, x: Tensor) -> Tensor:
            return Machine.energy(self, x) + 1

    score, exact = of_binary(Bounded()), of_binary(Machine())
    assert score.value == pytest.approx(exact.value - 1)
    assert score.notes == (OF_A_BOUND,)


def test_a_constant_that_hangs_on_few_chains_is_told() -> None:
    score = of_binary(Machine(spread=4.0))
    assert score.extras["effective_chains"] < 5
    assert score.notes[1].startswith(f"log Z hangs on few chains: {score.extras['effective_chains']:.1f} of 50 count")


def test_weights_of_another_number_are_refused() -> None:
    machine = Machine()
    machine.log_partition = lambda chains, temperatures, generator: torch.zeros(3)
    with pytest.raises(ValueError, match=r"log_partition returned \(3,\); expected \(50,\)"):
        of_binary(machine)


@pytest.mark.parametrize("lacking", ["energy", "log_partition"])
def test_a_model_with_nothing_to_anneal_is_skipped(lacking: str) -> None:
    machine = type("Poor", (Machine,), {lacking: None})()
    reason = "nothing can be annealed: the model has neither log_partition with an energy, nor log_joint with latents"
    assert AIS(observations="binary").skip(Given(machine, images(), SPACE)) == reason


# Decoders


@pytest.fixture(scope="module")
def decoder() -> LinearGaussian:
    return LinearGaussian(sigma=1.0)


@pytest.fixture(scope="module")
def observed(decoder: LinearGaussian) -> Tensor:
    return decoder.sample(50, torch.Generator().manual_seed(5)).float()


def of_decoder(decoder: LinearGaussian, observed: Tensor, seed: int = 0, **options):
    metric = AIS(images=50, posterior_chains=8, posterior_temperatures=40, **{"leapfrog": 5, **options})
    given = Given(decoder, observed, decoder.space, seed)
    assert metric.skip(given) is None
    return metric.evaluate(given)


def test_a_decoder_of_known_evidence(decoder, observed) -> None:
    """Below log p(x), by less than a few of the gap; the error is that over images."""
    known = decoder.evidence(observed)
    score = of_decoder(decoder, observed)
    assert 0 < score.extras["gap"] < 0.5
    assert known.mean() - 3 * score.extras["gap"] < score.value < known.mean() + 0.1
    assert score.stderr == pytest.approx(known.std() / 50**0.5, rel=0.1)
    assert (score.notes, set(score.extras)) == ((TOO_SMALL,), {"gap", "gap_error", "bits_per_dim"})


def test_estimates_of_single_images_are_within_three_errors(decoder, observed) -> None:
    """Each image's estimate of p(x) over p(x) has the mean 1: within three errors of 20 repeats for 95 in 100."""
    annealing = Annealing(8, 30, 5)
    copies = observed.repeat_interleave(20, 0)
    log_p = annealing.log_evidence(decoder, copies, torch.Generator().manual_seed(3)).numpy()
    ratio = np.exp(log_p - decoder.evidence(copies)).reshape(50, 20)
    error = ratio.std(1, ddof=1) / 20**0.5
    assert (abs(ratio.mean(1) - 1) < 3 * error).mean() >= 0.95


def test_upper_and_lower_bounds_enclose_the_evidence(decoder) -> None:
    lower, upper = Annealing(16, 40, 5).sandwich(decoder, 60, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    simulated = decoder.observe(decoder.latents(60, generator), generator)  # the first that it draws
    known = decoder.evidence(simulated).mean()
    assert lower.mean().item() - 0.03 < known < upper.mean().item() + 0.03
    assert (upper - lower).mean().item() < 0.4


def test_images_are_taken_a_few_at_a_time(decoder, observed, monkeypatch) -> None:
    monkeypatch.setattr(decoder_evidence, "VALUES", 16 * 4 * 7)  # seven images
    rows = []

    class Watched(LinearGaussian):
        def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
            rows.append(len(x))
            return super().log_joint(x, z)

    found = Annealing(16, 10, 2).log_evidence(Watched(sigma=1.0), observed, torch.Generator().manual_seed(3))
    assert (len(found), max(rows)) == (50, 16 * 7)


def test_without_observations_no_gap_is_told(decoder, observed) -> None:
    class Silent(LinearGaussian):
        observe = None

    for model, options in ((Silent(sigma=1.0), {}), (decoder, {"simulated": 0})):
        score = of_decoder(model, observed[:4], leapfrog=1, **options)
        assert "gap" not in score.extras
        assert score.notes == (f"{TOO_SMALL}; how far it is off was not looked at",)
