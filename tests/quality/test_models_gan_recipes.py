"""The paper's recipes for faces and colour images: their nets to the letter, and what they add to the game."""

import math
from typing import Any

import pytest
import torch
from models import CPU, check_samples, data_of, drawn, fitted
from torch.nn.functional import conv_transpose2d

from genbench.api import Space
from genbench.registry.options import construct
from genbench.trial import seeding
from genbench_plugins.models.convolutional import ConvolutionalMaxout, PixelBias, convolutions, deconvolution, grid
from genbench_plugins.models.gan import GAN
from genbench_plugins.networks import init_sparse, limit_norms, linears
from genbench_plugins.scaling import Standardise

TFD, CIFAR10 = Space((1, 48, 48)), Space((3, 32, 32))
FACES = {"g_hidden": (16, 12), "g_below": (10, 5), "latent": 5, "d_hidden": (6,), "g_sparse": 4, "batch": 20}
COLOURS = {"g_hidden": (16, 12), "d_hidden": (6,), "latent": 5, "batch": 20, "epochs": 2}
MAPS = {**COLOURS, "g_hidden": (16,), "g_maps": 4, "d_maps": (3, 4, 5)}


def recipe(name: str, **options: object) -> GAN:
    return construct(GAN, {**GAN.presets[name], **options})  # type: ignore[no-any-return]


def built(name: str, space: Space, **options: object) -> GAN:
    model = recipe(name, **options)
    model.build(space, CPU)
    return model


@pytest.mark.parametrize(
    ("name", "space", "of_g", "of_d"),
    [
        # 100-8000-100 below 100-8000-8000-2304; 2304 - 1200x5 - 1200x5 - 1
        ("paper-tfd", TFD, [(8000, 100), (100, 8000), (8000, 100), (8000, 8000), (2304, 8000)], [(6000, 2304), (6000, 1200), (1, 1200)]),
        ("paper-cifar10", CIFAR10, [(8000, 100), (8000, 8000), (3072, 8000)], [(8000, 3072), (8000, 1600), (1, 1600)]),
        # 80 maps of 10x10; what D's convolutions leave is 192 maps of 5x5
        ("paper-cifar10-conv", CIFAR10, [(8000, 100), (8000, 8000), (80, 3, 5, 5)], [(64, 3, 8, 8), (64, 32, 8, 8), (384, 32, 5, 5), (2500, 4800), (1, 500)]),
    ],
)  # fmt: skip
def test_the_papers_nets(name: str, space: Space, of_g: list[Any], of_d: list[Any]) -> None:
    model = built(name, space)
    assert [tuple(layer.weight.shape) for layer in linears(model.G_)] == of_g
    assert [tuple(layer.weight.shape) for layer in linears(model.D_)] == of_d
    assert model.samples_are == ("draws" if name == "paper-tfd" else "clipped")


def test_the_papers_first_weights_for_faces() -> None:
    model = built("paper-tfd", TFD, g_hidden=(300, 200), g_below=(150, 100), d_hidden=(20,))
    first, second, third, fourth, out = linears(model.G_)
    assert [layer.bias.mean().item() for layer in (first, second, third, fourth, out)] == [0, -2, 0, -2, 0]
    assert (out.weight != 0).sum(1).unique().tolist() == [100]
    assert out.weight[out.weight != 0].std().item() == pytest.approx(1, abs=0.01)
    assert all(0.049 < layer.weight.abs().max() <= 0.05 for layer in (first, second, third, fourth))


def test_the_papers_first_weights_for_colours() -> None:
    *hidden, out = linears(built("paper-cifar10", CIFAR10, g_hidden=(50, 40), d_hidden=(20,)).G_)
    assert 0.49 < out.weight.abs().max() <= 0.5
    assert all(layer.weight.abs().max() <= 0.05 for layer in hidden)


# What is new in the game


def test_after_each_update_no_unit_has_longer_weights() -> None:
    model = fitted(recipe("paper-tfd", **FACES, below_from=1, epochs=1, d_irange=5.0), data_of((1, 8, 8)))
    for layer in [*linears(model.G_), *linears(model.D_)]:
        assert layer.weight.norm(dim=1).max() <= 1.9365 * (1 + 1e-6)
    assert linears(model.D_)[0].weight.norm(dim=1).max().item() == pytest.approx(1.9365)


@pytest.mark.parametrize("convolution", [torch.nn.Linear(7, 3), torch.nn.ConvTranspose2d(7, 3, 2)], ids=["linear", "transposed"])  # fmt: skip
def test_norms_are_of_what_comes_into_a_unit(convolution: torch.nn.Linear | torch.nn.ConvTranspose2d) -> None:
    weight = convolution.weight.detach().clone()
    limit_norms([convolution], 0.1)
    units = range(3) if weight.dim() == 2 else ((slice(None), i) for i in range(3))
    for unit in units:
        torch.testing.assert_close(convolution.weight[unit], weight[unit] * 0.1 / weight[unit].norm())


def test_sparse_weights_are_no_more_than_there_are() -> None:
    weight = torch.empty(6, 4)
    init_sparse(weight, 100)
    assert (weight != 0).all()


def test_the_whole_meets_a_new_discriminator_and_new_optimisers() -> None:
    """With no learning rate nothing moves, so D's weights have changed only because they were drawn again."""
    data, still = data_of((1, 8, 8)), {**FACES, "below_from": 3, "epochs": 1, "lr": 1e-30, "lr_floor": 0.0}
    model, start = fitted(recipe("paper-tfd", **still), data), recipe("paper-tfd", **still)
    with seeding.seeded(0, "init"):
        start.build(data.space, CPU)
    now, then = (linears(net)[0].weight for net in (model.D_, start.D_))
    assert (now - then).abs().mean() > 0.001
    assert now.abs().max() <= 0.005
    assert torch.equal(linears(model.G_.below)[0].weight, linears(start.G_.below)[0].weight)
    assert all(p.requires_grad for p in model.G_.parameters())
    assert model.optimise_D_.param_groups[0]["momentum"] == 0.5  # of the first epoch again


def test_a_network_below_is_left_alone_at_first_and_used_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen from within the game: at first z goes past what is below, whose weights stay; then they move."""
    seen: list[tuple[bool, torch.Tensor]] = []

    def watched(self: GAN, run: Any) -> dict[str, torch.Tensor]:
        seen.append((self.G_.whole, linears(self.G_.below)[0].weight.detach().clone()))  # type: ignore[union-attr]
        return {}

    monkeypatch.setattr(GAN, "_beside", watched)
    fitted(
        recipe("paper-tfd", **FACES, below_from=2, epochs=2, lr=1.0), data_of((1, 8, 8))
    )  # 60 images: 3 steps an epoch
    assert [whole for whole, _ in seen] == [False] * 6 + [True] * 6
    assert all(torch.equal(weight, seen[0][1]) for _, weight in seen[:6])
    assert not torch.equal(seen[5][1], seen[-1][1])


def test_layers_below_must_end_as_wide_as_the_noise() -> None:
    with pytest.raises(ValueError, match=r"g_below ends in 7 units: expected 10, as wide as z \(latent\)"):
        GAN(g_below=(7,))


# Values standardised over the data set


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("options", [COLOURS, MAPS], ids=["dense", "maps"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (2, 5, 7)])
def test_samples_are_images_again(shape: Any, options: Any, bounds: Any) -> None:
    data = data_of(shape, bounds=bounds)
    check_samples(fitted(recipe("paper-cifar10", **options), data), data.space)


def test_a_discriminator_sees_values_of_mean_nought_and_deviation_one() -> None:
    data = data_of((3, 32, 32))
    model = fitted(recipe("paper-cifar10", **COLOURS), data)
    scale = next(m for m in model.D_.modules() if isinstance(m, Standardise))
    seen = scale(data.train.images)
    assert (seen.mean().item(), seen.std().item()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    images = [m for m in model.G_.modules() if isinstance(m, Standardise)][-1]
    torch.testing.assert_close(images.train()(seen), data.train.images)


def test_images_of_one_value_stay_finite() -> None:
    scale = Standardise()
    scale.measure(torch.full((4, 1, 2, 2), 0.25))
    assert scale(torch.full((1, 1, 2, 2), 0.25)).abs().max() == 0


@pytest.mark.parametrize("options", [COLOURS, MAPS], ids=["dense", "maps"])
def test_the_output_can_start_from_the_mean_image(options: dict[str, object]) -> None:
    data = data_of((3, 32, 32))
    still = {**options, "marginals": True, "lr": 1e-30, "lr_floor": 0.0, "g_irange": 1e-9, "g_irange_out": 1e-9}
    x = drawn(fitted(recipe("paper-cifar10", **still), data), 2)
    torch.testing.assert_close(x, data.train.images.mean(0).expand(2, -1, -1, -1), rtol=0, atol=1e-4)


# The convolutional nets


def test_deconvolution_against_its_definition() -> None:
    """10x10 maps become 32x32: each value of a map adds its kernel at thrice its place; a bias for each pixel."""
    layers = torch.nn.Sequential(*deconvolution(2, (3, 32, 32)))
    bias = next(m for m in layers.modules() if isinstance(m, PixelBias))
    torch.nn.init.normal_(bias.bias)
    z, kernel = torch.randn(4, 200), linears(layers)[0].weight  # (2, 3, 5, 5)
    expected = torch.zeros(4, 3, 32, 32)
    for i in range(10):
        for j in range(10):
            values = z.view(4, 2, 10, 10)[:, :, i, j]
            expected[:, :, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5] += torch.einsum("nm,mchw->nchw", values, kernel)
    torch.testing.assert_close(layers(z), (expected + bias.bias.view(3, 32, 32)).flatten(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "cells"), [(32, 10), (8, 2), (28, 9), (48, 16), (3, 1)])
def test_the_grid_covers_an_image(side: int, cells: int) -> None:
    assert grid((1, side, 8)) == (cells, 2)
    assert conv_transpose2d(torch.zeros(1, 1, cells, 2), torch.zeros(1, 1, 5, 5), stride=3).shape[2] >= side


def test_convolutional_maxout_takes_the_largest_of_consecutive_maps() -> None:
    layer = ConvolutionalMaxout(3, 2, 2, (5, 3, 2, 2))
    x = torch.randn(2, 3, 9, 9)
    maps = layer.convolution(x)
    first = torch.maximum(maps[:, 0], maps[:, 1])
    torch.testing.assert_close(layer(x)[:, 0, 0, 0], first[:, :2, :2].flatten(1).amax(1))


def test_the_papers_maps_shrink_as_told() -> None:
    layers = convolutions(3, (2, 3, 4), 2, 0.0)
    sides, x = [], torch.zeros(1, 3, 32, 32)
    for layer in layers:
        x = layer(x)
        sides += [x.shape[-1]] if isinstance(layer, ConvolutionalMaxout) else []
    assert sides == [16, 7, 5]
    assert math.prod(x.shape) == 4 * 5 * 5
