"""The shared networks."""

import pytest
import torch

from genbench_plugins.networks import (
    Dropout,
    GaussianNoise,
    Images,
    Largest,
    Maxout,
    linears,
    mlp,
    set_bias_from_marginals,
)


def test_maxout_takes_the_largest_of_consecutive_pieces() -> None:
    layer = Maxout(4, 3, 5)
    x = torch.randn(7, 4)
    maps = layer.linear(x)
    expected = torch.stack([maps[:, 5 * unit : 5 * unit + 5].max(1).values for unit in range(3)], 1)
    assert torch.equal(layer(x), expected)


SHAPES = [(1, 1), (7, 12), (200, 240), (3, 0), (5, 4, 3, 2), (4, 2, 9, 9)]
VALUES = [-torch.inf, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, torch.inf, torch.nan]


def bits(x: torch.Tensor) -> bytes:
    return x.detach().contiguous().numpy().tobytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pieces", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_of_maps_and_its_gradient_are_those_of_max_to_the_bit(
    shape: tuple[int, ...], pieces: int, dtype: torch.dtype
) -> None:
    g = torch.Generator().manual_seed(pieces)
    maps = (shape[0], shape[1] * pieces, *shape[2:])
    few = torch.tensor(VALUES, dtype=dtype)[torch.randint(len(VALUES), maps, generator=g)]  # many ties, both zeros, NaN
    for x in (few, torch.randn(maps, generator=g, dtype=dtype)):
        x.requires_grad_()
        groups = x.unflatten(1, (shape[1], pieces))
        expected = groups.max(2).values
        out = torch.tensor(VALUES, dtype=dtype)[torch.randint(len(VALUES), shape, generator=g)]
        found = Largest.apply(groups)
        assert bits(found) == bits(expected)
        gradients = [torch.autograd.grad(y, x, out)[0] for y in (expected, found)]
        assert bits(gradients[0]) == bits(gradients[1])


def test_the_largest_of_maps_can_be_differentiated_twice() -> None:
    x = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(Largest.apply, x)
    assert torch.autograd.gradgradcheck(lambda x: Largest.apply(x) ** 3, x)


def test_dropout_keeps_the_mean_and_does_nothing_in_eval_mode() -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.2), torch.ones(100_000)
    out = layer(x)
    assert set(out.unique().tolist()) == {0.0, 1.25}
    assert out.mean().item() == pytest.approx(1, abs=0.01)
    assert layer.eval()(x) is x
    assert "p=0.2" in repr(layer)


def test_noise_has_its_standard_deviation_and_is_silent_in_eval_mode() -> None:
    torch.manual_seed(0)
    layer, x = GaussianNoise(0.3), torch.zeros(100_000)
    assert layer(x).std().item() == pytest.approx(0.3, abs=0.01)
    assert layer.eval()(x) is x


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (2.0, 5.0)])
def test_images_stay_within_bounds(bounds: tuple[float, float]) -> None:
    out = Images((1, 2, 2), bounds)(torch.tensor([[-1e4, 0.0, 1.0, 1e4]]))
    assert out.shape == (1, 1, 2, 2)
    assert (out.min().item(), out.max().item()) == bounds
    assert out[0, 0, 0, 1].item() == pytest.approx(sum(bounds) / 2)


def test_an_mlp_repeats_its_last_activation() -> None:
    network = mlp(3, (4, 5, 6), 2, ("relu", "tanh"))
    assert [type(layer).__name__ for layer in network] == [
        "Linear",
        "ReLU",
        "Linear",
        "Tanh",
        "Linear",
        "Tanh",
        "Linear",
    ]
    assert [layer.out_features for layer in linears(network)] == [4, 5, 6, 2]


def test_the_bias_from_marginals_gives_the_marginals() -> None:
    images = torch.rand(500, 1, 2, 2) * 2 - 1
    layer = torch.nn.Linear(3, 4)
    torch.nn.init.zeros_(layer.weight)
    set_bias_from_marginals(layer.bias, images, (-1.0, 1.0))
    out = Images((1, 2, 2), (-1.0, 1.0))(layer(torch.zeros(1, 3)))
    torch.testing.assert_close(out[0], images.mean(0), atol=1e-6, rtol=0)
