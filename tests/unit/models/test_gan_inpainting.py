"""Adversarial nets that complete images: random masks, known pixels kept, and the conditionals of a Gaussian."""

import pytest
import torch
from models import CPU, check_samples, data_of, drawn, fitted

from genbench.api import Space, Split, TrainingData
from genbench_plugins.models.gan_inpainting import InpaintingGAN
from genbench_plugins.models.masks import random_masks

SMALL = {"g_hidden": (16,), "d_hidden": (8,), "epochs": 2, "batch": 25}


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Masks


def test_a_mask_is_the_same_in_all_channels_and_of_a_share_of_images_nothing_is_known() -> None:
    masks = random_masks(torch.Size((4000, 3, 6, 9)), 0.2, stream())
    assert masks.shape == (4000, 3, 6, 9)
    assert set(masks.unique().tolist()) == {0, 1}
    assert torch.equal(masks, masks[:, :1].expand_as(masks))
    blank = (masks.flatten(1).sum(1) == 0).double().mean().item()
    assert 0.2 - 0.02 < blank < 0.2 + 0.8 * 0.25  # rectangles may lie outside, too


def test_without_a_share_all_pixels_are_as_often_hidden_as_known() -> None:
    known = random_masks(torch.Size((20_000, 1, 5, 4)), 0.0, stream()).mean(0)
    torch.testing.assert_close(known, torch.full_like(known, 0.5), atol=0.015, rtol=0)


def test_halves_and_single_pixels_are_among_the_masks() -> None:
    masks = random_masks(torch.Size((4000, 1, 4, 4)), 0.1, stream())[:, 0]
    half = torch.zeros(4, 4)
    half[:, :2] = 1
    for wanted in (half, 1 - half, half.T, 1 - half.T):
        assert (masks == wanted).all(2).all(1).sum() > 10
    neighbours = (masks[:, :, 1:] != masks[:, :, :-1]).double().mean((1, 2))
    assert (neighbours > 0.5).sum() > 200  # no rectangle: more than half of all neighbours differ


# Completion


@pytest.mark.parametrize(
    "options",
    [{}, {"noise": "uniform"}, {"updates": "alternating", "k": 2}, {"average": 0.0}, {"loss": "minimax"},
     {"dropout": 0.5}, {"nothing": 0.0}, {"optimiser": "momentum", "lr": 0.01}, {"g_hidden": ()}],
    ids=str,
)  # fmt: skip
def test_every_option_trains(options: dict[str, object]) -> None:
    data = data_of((2, 5, 7), bounds=(-1.0, 1.0))
    check_samples(fitted(InpaintingGAN(**{**SMALL, **options}), data), data.space)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 1, 1)])
def test_known_pixels_are_kept_and_hidden_ones_are_not_looked_at(shape: tuple[int, int, int]) -> None:
    data = data_of(shape)
    model, x = fitted(InpaintingGAN(**SMALL), data), data.valid.images
    mask = random_masks(x.shape, 0.0, stream(3))
    filled = model.inpaint(x, mask, stream(4))
    assert torch.equal(filled * mask, x * mask)
    assert torch.equal(filled, model.inpaint(torch.where(mask == 1, x, 1.0), mask, stream(4)))
    hidden = mask == 0
    assert (filled[hidden] != model.inpaint(x, mask, stream(5))[hidden]).double().mean() > 0.9
    assert torch.equal(model.inpaint(x, torch.ones_like(x), stream()), x)


def test_a_sample_is_completed_from_nothing_and_judged_as_such() -> None:
    data = data_of((1, 8, 8))
    model = fitted(InpaintingGAN(**{**SMALL, "dropout": 0.5}), data)
    x = data.valid.images
    assert torch.equal(drawn(model, 20), model.inpaint(x, torch.zeros_like(x), stream()))
    units, p = model.features(x), model.discriminate(x)
    assert units.shape == (20, 8)
    torch.testing.assert_close(model.D_.logit(units)[:, 0].sigmoid(), p)
    assert torch.equal(p, model.discriminate(x))


def test_d_is_given_the_mask() -> None:
    model = InpaintingGAN(**SMALL)  # type: ignore[arg-type]
    model.build(Space((1, 8, 8)), CPU)
    x = torch.rand(5, 1, 8, 8, generator=stream())
    logits = [model.D_.eval()(x, x, mask) for mask in (torch.zeros_like(x), torch.ones_like(x))]
    assert (logits[0] != logits[1]).all()


def test_the_conditionals_of_a_gaussian() -> None:
    """x ~ N(0, [[1, .8], [.8, 1]]): given one of its two values, the other has mean .8 of it and deviation .6."""
    covariance = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
    x = torch.randn(2000, 2, generator=stream()) @ torch.linalg.cholesky(covariance).T
    data = TrainingData(
        Split(x.clamp(-5, 5).view(-1, 1, 1, 2)), Split(x.view(-1, 1, 1, 2)[:20]), Space((1, 1, 2), None, (-5.0, 5.0))
    )
    model = InpaintingGAN(
        g_hidden=(32,), d_hidden=(32, 32), pieces=2, dropout_in=0.0, nothing=0.3, updates="alternating", k=2, lr=5e-3,
        d_lr_ratio=1.0, betas=(0.0, 0.99), average=0.98, batch=250, epochs=60,
    )  # fmt: skip
    fitted(model, data)
    for known, hidden in ((0, 1), (1, 0)):
        for value in (-1.0, 0.0, 1.0):
            mask = torch.zeros(4000, 1, 1, 2)
            mask[..., known] = 1
            filled = model.inpaint(value * mask, mask, stream(1))[..., hidden]
            assert filled.mean().item() == pytest.approx(0.8 * value, abs=0.2)
            assert filled.std().item() == pytest.approx(0.6, abs=0.15)
    torch.testing.assert_close(torch.cov(drawn(model, 4000).flatten(1).T), covariance, atol=0.25, rtol=0)
