"""The mixture against torch's and scikit-learn's, and against what it promises."""

import genbench
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from genbench_mixture import model as module
from genbench_mixture.model import Mixture, far_apart

CPU = torch.device("cpu")
SPACE = genbench.Space((2, 3, 1))


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int, clusters: int = 4, seed: int = 0, width: float = 0.05) -> Tensor:
    """Return images around so many centres, (n, 2, 3, 1) within [0, 1]."""
    g = stream(seed)
    centres = torch.rand(clusters, *SPACE.shape, generator=g)
    x = centres[torch.arange(n) % clusters] + width * torch.randn(n, *SPACE.shape, generator=g)
    return x.clamp(0, 1)


def seeded(x: Tensor, space: genbench.Space = SPACE, seed: int = 0, **options: float) -> Mixture:
    model = Mixture(**options)  # type: ignore[arg-type]
    model.build(space, CPU)
    model.seed(x, stream(seed))
    return model


def as_torch(model: Mixture) -> MixtureSameFamily:
    parts = Independent(Normal(model.means_, model.variances_.sqrt()), 1)
    return MixtureSameFamily(Categorical(logits=model.log_weights_), parts)


@pytest.mark.parametrize("steps", [0, 1, 20])
def test_log_prob_is_torchs(steps: int) -> None:
    x = images(200)
    model = seeded(x, components=5)
    for _ in range(steps):
        model.step(x)
    torch.testing.assert_close(model.log_prob(x), as_torch(model).log_prob(x.flatten(1).double()))
    assert model.log_weights_.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_log_prob_is_a_density() -> None:
    """One pixel: the integral over a fine grid is 1."""
    space = genbench.Space((1, 1, 1))
    x = torch.cat([torch.rand(30, generator=stream()) / 4, torch.rand(50, generator=stream(1)) / 2 + 0.5])
    model = seeded(x.view(-1, 1, 1, 1), space, components=3)
    for _ in range(10):
        model.step(x.view(-1, 1, 1, 1))
    grid = torch.linspace(-3, 4, 70_001, dtype=torch.float64)
    mass = model.log_prob(grid.view(-1, 1, 1, 1)).exp().sum() * (grid[1] - grid[0])
    assert mass.item() == pytest.approx(1, abs=1e-8)


def test_before_fit_it_is_one_wide_gaussian() -> None:
    model = Mixture(components=3)
    model.build(genbench.Space((1, 2, 2), bounds=(-1.0, 3.0)), CPU)
    x = torch.rand(6, 1, 2, 2, generator=stream())
    expected = Independent(Normal(torch.ones(4), 2 * torch.ones(4)), 1).log_prob(x.flatten(1))
    torch.testing.assert_close(model.log_prob(x).float(), expected)


@pytest.mark.parametrize("steps", [1, 7])
def test_steps_are_scikit_learns(steps: int) -> None:
    x = images(300, width=0.2)
    model = seeded(x, components=4, floor=1e-6)
    theirs = GaussianMixture(
        4,
        covariance_type="diag",
        reg_covar=0,
        tol=0,  # never content
        max_iter=steps,
        weights_init=model.log_weights_.exp().numpy(),
        means_init=model.means_.numpy(),
        precisions_init=(1 / model.variances_).numpy(),
    )
    with pytest.warns(UserWarning, match="did not converge"):
        theirs.fit(x.flatten(1).double().numpy())
    for _ in range(steps):
        model.step(x)
    torch.testing.assert_close(model.means_, torch.from_numpy(theirs.means_))
    torch.testing.assert_close(model.variances_, torch.from_numpy(theirs.covariances_))
    torch.testing.assert_close(model.log_weights_.exp(), torch.from_numpy(theirs.weights_))


@pytest.mark.parametrize("floor", [1e-4, 0.05, 0.3])
@pytest.mark.parametrize("components", [1, 3, 10, 60])
def test_the_likelihood_never_falls_and_no_deviation_falls_below_the_floor(components: int, floor: float) -> None:
    x = images(50, width=0.02)
    model = seeded(x, components=components, floor=floor)
    course = torch.stack([model.step(x) for _ in range(30)])
    assert (course.diff() >= -1e-9).all()
    assert course[-1] > course[0]
    assert course[-1] <= model.log_prob(x).mean() + 1e-9
    assert model.variances_.min() >= floor**2


def test_it_finds_the_clusters_that_are_there() -> None:
    x = images(1000, clusters=4, width=0.03)
    model = seeded(x, components=4, floor=1e-3)
    for _ in range(20):
        model.step(x)
    centres = torch.stack([x[i::4].double().mean(0).flatten() for i in range(4)])
    assert torch.cdist(centres, model.means_).min(1).values.max() < 1e-3
    torch.testing.assert_close(model.log_weights_.exp(), torch.full((4,), 0.25, dtype=torch.float64))


def test_the_size_of_parts_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = images(100)
    whole, split = seeded(x, components=3), seeded(x, components=3)
    whole.step(x)
    monkeypatch.setattr(module, "PART", 7)
    split.step(x)
    torch.testing.assert_close(split.means_, whole.means_, rtol=0, atol=1e-12)
    torch.testing.assert_close(split.log_prob(x), whole.log_prob(x), rtol=0, atol=1e-9)


def test_a_component_that_nothing_belongs_to_stays_where_it_is() -> None:
    x = images(40)
    model = seeded(x, components=3, floor=0.01)
    model.means_[1] = 1e3
    kept = model.variances_[1].clone()
    model.step(x)
    assert model.means_[1].eq(1e3).all()
    assert torch.equal(model.variances_[1], kept)
    assert model.log_weights_.isfinite().all()
    assert model.log_prob(x).isfinite().all()


@pytest.mark.parametrize("n", [1, 3])
def test_fewer_images_than_components_and_equal_images(n: int) -> None:
    x = images(1).repeat(n, 1, 1, 1)
    model = seeded(x, components=5)
    for _ in range(5):
        model.step(x)
    torch.testing.assert_close(model.means_, x[:1].flatten(1).double().expand(5, -1))
    assert model.sample(4, stream()).isfinite().all()


def test_samples_have_the_mixtures_moments() -> None:
    x = images(500) * 0.2 + 0.4  # far from the bounds, so that nothing is clipped
    model = seeded(x, components=6, floor=0.01)
    for _ in range(10):
        model.step(x)
    drawn, expected = model.sample(200_000, stream()).flatten(1).double(), as_torch(model)
    torch.testing.assert_close(drawn.mean(0), expected.mean, rtol=0, atol=2e-3)
    torch.testing.assert_close(drawn.var(0), expected.variance, rtol=0.02, atol=0)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_stretching_the_images_stretches_the_samples_and_shifts_the_density(bounds: tuple[float, float]) -> None:
    x = images(200)
    low, high = bounds
    plain = seeded(x, components=3)
    stretched = seeded(low + (high - low) * x, genbench.Space(SPACE.shape, bounds=bounds), components=3)
    for _ in range(10):
        plain.step(x)
        stretched.step(low + (high - low) * x)
    drawn = stretched.sample(50, stream())
    torch.testing.assert_close(drawn, low + (high - low) * plain.sample(50, stream()), rtol=0, atol=1e-4 * (high - low))
    shift = SPACE.dim * torch.tensor(high - low).double().log()
    torch.testing.assert_close(stretched.log_prob(low + (high - low) * x) + shift, plain.log_prob(x), rtol=0, atol=1e-3)


def test_seeds_are_far_apart() -> None:
    """Each of five tight clusters gets one of five seeds, whatever the stream."""
    centres = torch.arange(5.0)[:, None].expand(5, 3)
    x = centres.repeat(20, 1) + 1e-4 * torch.rand(100, 3, generator=stream())
    for seed in range(20):
        assert {row % 5 for row in far_apart(x, 5, stream(seed)).tolist()} == set(range(5))
