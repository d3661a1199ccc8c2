"""The shared networks."""

import pytest
import torch

from genbench_plugins.networks import Dropout, GaussianNoise, Images, Maxout, linears, mlp, set_bias_from_marginals


def test_maxout_takes_the_largest_of_consecutive_pieces() -> None:
    layer = Maxout(4, 3, 5)
    x = torch.randn(7, 4)
    maps = layer.linear(x)
    expected = torch.stack([maps[:, 5 * unit : 5 * unit + 5].max(1).values for unit in range(3)], 1)
    assert torch.equal(layer(x), expected)


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
