"""Adversarial nets with an inference network: the game untouched, and z's posterior mean where G is linear."""

import pytest
import torch
from models import check_samples, data_of, fitted

from genbench.api import Space, Split, TrainingData
from genbench_plugins.models.adversarial_game import Game
from genbench_plugins.models.gan import GAN
from genbench_plugins.models.gan_inference import InferenceGAN

SMALL = {"g_hidden": (16,), "d_hidden": (8,), "latent": 3, "epochs": 2, "batch": 25}
OF_INFERENCE = {"i_hidden": (8,), "i_epochs": 2}


def linear(latent: int, pixels: int, noise: float, inference: str) -> InferenceGAN:
    """Return a trained model of a linear G, which the game leaves as it was drawn, and a linear I."""
    x = torch.randn(500, 1, 1, pixels, generator=torch.Generator().manual_seed(0)).clamp(-4, 4)
    data = TrainingData(Split(x), Split(x[:20]), Space((1, 1, pixels), bounds=(-4.0, 4.0)))
    model = InferenceGAN(
        g_hidden=(), output="standardised", latent=latent, d_hidden=(2,), pieces=1, average=0.0, lr=1e-30,
        batch=500, epochs=700 if inference == "beside" else 1,
        inference=inference, i_hidden=(), i_noise=noise, i_epochs=700, i_lr=0.1 if inference == "beside" else 0.3,
    )  # fmt: skip
    return fitted(model, data)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("latent", "pixels", "noise", "inference"),
    [(2, 4, 0.05, "afterwards"), (3, 2, 0.0, "afterwards"), (2, 3, 0.05, "beside")],
)
def test_of_a_linear_g_it_learns_the_posterior_mean(latent: int, pixels: int, noise: float, inference: str) -> None:
    """z ~ N(0, I), u = Az + b + noise·e: E(z|u) = (A'A + noise² I)⁻¹A'(u - b), or A⁺(u - b) without noise."""
    model = linear(latent, pixels, noise, inference)

    def scaled(z: torch.Tensor) -> torch.Tensor:
        return model.decode(z).flatten(1).double() / 8  # A and b in the units of the noise, up to a shift

    b = scaled(torch.zeros(1, latent))
    A = (scaled(torch.eye(latent)) - b).T  # (pixels, latent)
    gain = torch.linalg.pinv(A) if noise == 0 else torch.linalg.solve(A.T @ A + noise**2 * torch.eye(latent), A.T)
    z = torch.randn(1000, latent, generator=torch.Generator().manual_seed(1))
    expected = (scaled(z) - b) @ gain.T
    error = (model.encode(model.decode(z)) - expected).square().mean().sqrt().item()
    assert expected.square().mean().sqrt().item() > 0.5
    assert error < 0.1, error


def test_trained_afterwards_it_leaves_the_game_as_it_is_without_it() -> None:
    data = data_of((1, 8, 8))
    plain, inferring = fitted(GAN(**SMALL), data), fitted(InferenceGAN(**SMALL, **OF_INFERENCE), data)
    for name in ("G_", "D_", "averaged_"):
        theirs, ours = getattr(plain, name).state_dict(), getattr(inferring, name).state_dict()
        assert all(torch.equal(theirs[key], ours[key]) for key in theirs)


@pytest.mark.parametrize(
    "options",
    [{}, {"inference": "beside"}, {"inference": "beside", "average": 0.0}, {"noise": "uniform"}, {"i_hidden": ()},
     {"inference": "beside", "updates": "alternating", "k": 2}, {"output": "standardised"}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 5, 7)])
def test_every_option_trains(shape: tuple[int, int, int], options: dict[str, object]) -> None:
    data = data_of(shape, bounds=(-1.0, 1.0))
    model = fitted(InferenceGAN(**{**SMALL, **OF_INFERENCE, **options}), data)
    check_samples(model, data.space)
    assert model.encode(data.valid.images).shape == (20, 3)
    assert model.reconstruct(data.valid.images).shape == (20, *shape)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_beside_the_game_g_keeps_its_noise(average: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """I is trained on samples without noise or dropout inside G; the game goes on with them."""
    seen = []
    update = Game.update_both

    def watched(self, *of_batch):
        seen.append(self.G.training)
        return update(self, *of_batch)

    monkeypatch.setattr(Game, "update_both", watched)
    options = {**SMALL, **OF_INFERENCE, "inference": "beside", "average": average, "g_dropout": 0.5}
    fitted(InferenceGAN(**options), data_of((1, 8, 8)))  # type: ignore[arg-type]
    assert seen == [True] * 6
