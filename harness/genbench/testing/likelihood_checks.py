"""What a model's densities, energies and estimates of them must hold, for those it has: see `genbench.abilities`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from genbench.numerics.importance import log_mean_and_error
from genbench.testing import integrals
from genbench.testing.fixtures import Fixtures
from genbench.testing.integrals import Model
from genbench.testing.made_images import training_data
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.shapes import expect_same_again, expect_shape

N = 7
"""Images that shapes are tried on."""


def _observed(model: Model, images: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Return images as the model's density is of them: as they are, or of two values, cut at the middle."""
    if model.observations == "real":
        return images
    low, high = bounds
    return torch.where(images < (low + high) / 2, low, high)


def _brief(fixtures: Fixtures) -> tuple[Model, Tensor]:
    """Return a model trained briefly and validation images for it, (N, C, H, W)."""
    model = fixtures.trained_briefly(fixtures.home)
    images = fixtures.on_device(training_data(fixtures.home)).valid.images[:N]
    return model, _observed(model, images, fixtures.home.bounds)


def _trained(fixtures: Fixtures) -> tuple[Model, Tensor]:
    """Return a model trained on real images, and the validation images."""
    model = fixtures.trained
    return model, _observed(model, fixtures.split("valid").images, fixtures.data.space.bounds)


def _generator(fixtures: Fixtures) -> torch.Generator:
    return torch.Generator(fixtures.device).manual_seed(3)


# Integrals over images of two pixels ---------------------------------------------------------------------------------


def check_log_prob_integrates_to_one(fixtures: Fixtures) -> None:
    """exp(log_prob) integrates to 1 over the plane, for images of two pixels; it sums to 1 over binary ones."""
    model = integrals.of_two_pixels(fixtures)
    total = math.exp(integrals.log_total(fixtures, model, lambda x: log_prob(fixtures, model, x)))
    if not abs(total - 1) < 0.02:
        if callable(getattr(model, "log_partition", None)):
            raise CheckSkipped(f"its normaliser is learned: exp(log_prob) integrates to {total:.3f}")
        where = "over a plane of two pixels" if model.observations == "real" else "over binary images of two pixels"
        fail(
            f"exp(log_prob) integrates to {total:.3f} {where}",
            "1 (within .02)",
            "Look at the normaliser: d·log(σ√(2π)) and the log of every Jacobian, in nats.",
        )


def check_log_prob_is_that_of_the_energy(fixtures: Fixtures) -> None:
    """log_prob is -energy but for a constant, where a model has both."""
    model, x = _trained(fixtures)
    if not callable(getattr(model, "energy", None)):
        raise CheckSkipped("it has no energy to compare log_prob with")
    with torch.no_grad(), fixtures.trial_environment():
        log_z = -(log_prob(fixtures, model, x) + model.energy(x).double())
    spread = (log_z.max() - log_z.min()).item()
    if not spread < 1e-4 * (1 + log_z.abs().max().item()):
        fail(
            f"-energy - log_prob, which is log Z, differs between images by up to {spread:.4g} nats",
            "one number for all images",
            "Let log_prob be -energy less log Z, both at the same scale of pixels.",
        )


CHAINS, TEMPERATURES = 200, 1_000
"""Annealed chains by which the constant of a small model is estimated."""


def check_log_partition_is_that_of_the_energy(fixtures: Fixtures) -> None:
    """log_partition estimates the log of the integral of exp(-energy), for images of two pixels; or bounds it."""
    model = integrals.of_two_pixels(fixtures)
    name = next((name for name in ("energy", "energy_bound") if callable(getattr(model, name, None))), "")
    if not name:
        raise CheckSkipped("it has neither energy nor energy_bound whose constant that were")
    expected = integrals.log_of_energy(fixtures, model, name)
    with torch.no_grad(), fixtures.trial_environment():
        log_w = model.log_partition(CHAINS, TEMPERATURES, _generator(fixtures)).double()
    log_z, error = log_mean_and_error(log_w)
    gap = log_z - expected
    if (abs(gap) if name == "energy" else -gap) > 5 * error + 0.05:
        fail(
            f"log_partition comes to {log_z:.3f} (standard error {error:.3f}), the integral of exp(-{name}) to "
            f"{expected:.3f}",
            "the same" if name == "energy" else "no more of a bound on the energy from above",
            "Look at the constant of the distribution that annealing starts from, and at the units of pixels.",
        )


# Densities and bounds ------------------------------------------------------------------------------------------------


def log_prob(fixtures: Fixtures, plugin: object, x: Tensor) -> Tensor:
    """Return log p(x) by a model or a dataset, (n,) float64. Fails where it is not one number for each image."""
    with torch.no_grad(), fixtures.trial_environment():
        log_p: Tensor = plugin.log_prob(x)  # type: ignore[attr-defined]
    if tuple(log_p.shape) != (len(x),):
        fail(f"log_prob returned {tuple(log_p.shape)}", f"({len(x)},)", "Return one value for each image, in nats.")
    return log_p.double()


def check_log_prob_shape(fixtures: Fixtures) -> None:
    """log_prob gives one finite number for each image."""
    if not log_prob(fixtures, *_brief(fixtures)).isfinite().all():
        fail("log_prob of validation images is not finite", "nats", "Floor variances; work with logarithms throughout.")


def check_bound_shape(fixtures: Fixtures) -> None:
    """bound gives one finite number for each image."""
    model, x = _brief(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        expect_shape("bound", model.bound(x), (N,))


def check_bound_below_log_prob(fixtures: Fixtures) -> None:
    """bound lies below log_prob on average, where a model has both."""
    _check_below_log_prob(fixtures, "bound", lambda model, x: model.bound(x))


def check_log_weights_shape(fixtures: Fixtures) -> None:
    """log_weights gives a finite number for each draw and image, the same for the same seed."""
    model, x = _brief(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        first, again = (model.log_weights(x, 3, _generator(fixtures)) for _ in range(2))
    expect_shape("log_weights(x, 3, generator)", first, (3, N), of_nats=True)
    expect_same_again("log_weights", first, again, "Draw codes with generator=generator.")


def check_log_weights_below_log_prob(fixtures: Fixtures) -> None:
    """The mean of log_weights, the ELBO, lies below log_prob on average, where a model has both."""
    _check_below_log_prob(
        fixtures, "the mean of log_weights", lambda model, x: model.log_weights(x, 8, _generator(fixtures)).mean(0)
    )


def _check_below_log_prob(fixtures: Fixtures, what: str, bound: Callable[[Model, Tensor], Tensor]) -> None:
    model, x = _trained(fixtures)
    if not hasattr(model, "log_prob"):
        raise CheckSkipped(f"it has no log_prob to compare {what} with")
    with torch.no_grad(), fixtures.trial_environment():
        gap = (bound(model, x) - model.log_prob(x)).double()
    error = gap.std().item() / len(gap) ** 0.5
    if gap.mean().item() > 3 * error + 1e-3:
        fail(
            f"{what} lies {gap.mean().item():.2f} nats above log_prob on average",
            "a lower bound",
            "Look at signs: log p(x|z) + log p(z) - log q(z|x), and that both are of the same scale of pixels.",
        )


def check_log_joint_shape(fixtures: Fixtures) -> None:
    """log_joint gives log p(z) and log p(x|z) of each image and code, with gradients with respect to the code."""
    model, x = _brief(fixtures)
    if not hasattr(model, "latents"):
        raise CheckSkipped("it has no latents, which draw codes")
    with torch.enable_grad(), fixtures.trial_environment():
        z = model.latents(N, _generator(fixtures)).detach().requires_grad_()
        found = model.log_joint(x, z)
        expect_shape("log_joint", found, (2, N), of_nats=True)
        slopes = [_slope(row, z) for row in found]
    if not (slopes[0].isfinite().all() and slopes[1].isfinite().all() and all(slope.any() for slope in slopes)):
        fail(
            "log_joint passes no gradient to the code, or one that is not finite",
            "that of log p(z) and that of log p(x|z): Hamiltonian moves follow them",
            "Take @torch.no_grad() and .detach() off its path.",
        )


def _slope(row: Tensor, z: Tensor) -> Tensor:
    """Return the gradient of a row with respect to codes, 0 where there is none."""
    if not row.requires_grad:
        return torch.zeros_like(z)
    (slope,) = torch.autograd.grad(row.sum(), z, retain_graph=True, allow_unused=True)
    return torch.zeros_like(z) if slope is None else slope


DRAWS = 1_000
"""Images that are drawn for each of a few codes."""


def check_observe_is_that_of_log_joint(fixtures: Fixtures) -> None:
    """observe draws from p(x|z) as log_joint has it, the same for the same seed: its score has the mean 0 over them."""
    model, _ = _brief(fixtures)
    if not (hasattr(model, "log_joint") and hasattr(model, "latents")):
        raise CheckSkipped("it has not both log_joint and latents")
    with torch.enable_grad(), fixtures.trial_environment():
        z = model.latents(3, _generator(fixtures)).repeat_interleave(DRAWS, 0).detach().requires_grad_()
        first, again = (model.observe(z.detach(), _generator(fixtures)) for _ in range(2))
        expect_shape("observe", first, (3 * DRAWS, *fixtures.home.shape))
        expect_same_again("observe", first, again, "Draw with generator=generator.")
        score = _slope(model.log_joint(first, z)[1], z).double().view(3, DRAWS, -1)  # of log p(x|z), for each draw
    error = score.std(1) / DRAWS**0.5 + 1e-6
    furthest = (score.mean(1).abs() / error).max().item()
    if not furthest < 6:
        fail(
            f"the mean gradient of log p(x|z) over images of observe is {furthest:.1f} standard errors from 0",
            "0, as of any density over its own draws",
            "Draw from the very p(x|z) that log_joint evaluates, and do not clip.",
        )


# Energies ------------------------------------------------------------------------------------------------------------


def check_energy_shape(fixtures: Fixtures) -> None:
    """energy gives one finite number for each image."""
    model, x = _brief(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        expect_shape("energy", model.energy(x), (N,))


def check_energy_orders_images(fixtures: Fixtures) -> None:
    """Real images have less energy than noise."""
    _check_orders_images(fixtures, "energy")


def check_energy_bound_shape(fixtures: Fixtures) -> None:
    """energy_bound gives one finite number for each image."""
    model, x = _brief(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        expect_shape("energy_bound", model.energy_bound(x), (N,))


def check_energy_bound_orders_images(fixtures: Fixtures) -> None:
    """The bound on the energy is less for real images than for noise."""
    _check_orders_images(fixtures, "energy_bound")


def _check_orders_images(fixtures: Fixtures, name: str) -> None:
    model, x = _trained(fixtures)
    low, high = fixtures.data.space.bounds
    noise = low + (high - low) * torch.rand(x.shape, generator=torch.Generator().manual_seed(0)).to(x.device)
    noise = _observed(model, noise, (low, high))
    with torch.no_grad(), fixtures.trial_environment():
        real, other = (getattr(model, name)(images).mean().item() for images in (x, noise))
    if not real < other:
        fail(
            f"{name} is {real:.4g} for real images and {other:.4g} for noise",
            "less for real images: p(x) is proportional to exp(-E(x))",
            "Turn the sign, or look whether training lowers the energy of data.",
        )


def check_log_partition_shape(fixtures: Fixtures) -> None:
    """log_partition gives a finite log weight for each chain, the same for the same seed."""
    model, _ = _brief(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        first, again = (model.log_partition(5, 20, _generator(fixtures)) for _ in range(2))
    expect_shape("log_partition(5, 20, generator)", first, (5,))
    expect_same_again("log_partition", first, again, "Draw states with generator=generator.")


CHECKS: Mapping[str, tuple[Callable[[Fixtures], None], ...]] = {
    "log_prob": (check_log_prob_shape, check_log_prob_integrates_to_one, check_log_prob_is_that_of_the_energy),
    "bound": (check_bound_shape, check_bound_below_log_prob),
    "log_weights": (check_log_weights_shape, check_log_weights_below_log_prob),
    "log_joint": (check_log_joint_shape,),
    "observe": (check_observe_is_that_of_log_joint,),
    "log_partition": (check_log_partition_shape, check_log_partition_is_that_of_the_energy),
    "energy": (check_energy_shape, check_energy_orders_images),
    "energy_bound": (check_energy_bound_shape, check_energy_bound_orders_images),
}
