"""What a model's abilities must hold, for those it has: see `genbench.abilities`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from genbench.api import Space
from genbench.errors import Unsupported
from genbench.testing.fixtures import Fixtures
from genbench.testing.grids import cells
from genbench.testing.made_images import PLANE, training_data
from genbench.testing.outcomes import CheckSkipped, fail

Ability = Callable[[Fixtures], None]


def _images(fixtures: Fixtures, n: int = 7) -> Tensor:
    """Return validation images of the space that abilities are tried on, (n, C, H, W)."""
    return fixtures.on_device(training_data(fixtures.home)).valid.images[:n]


def _expect_shape(what: str, x: Tensor, expected: tuple[int, ...]) -> None:
    """Fail unless a tensor holds finite numbers of a shape: float32, or float64 where it is one number an image."""
    allowed = (torch.float32, torch.float64) if len(expected) == 1 else (torch.float32,)
    if tuple(x.shape) != expected or x.dtype not in allowed:
        fail(f"{what} returned {tuple(x.shape)} {x.dtype}", f"{expected} torch.float32", "Mend its shape or type.")
    if not x.isfinite().all():
        fail(f"{what} returned NaN or infinity", "finite numbers", "Look for log(0), 0/0 and overflow.")


def _expect_images(what: str, x: Tensor, n: int, space: Space) -> None:
    _expect_shape(what, x, (n, *space.shape))
    low, high = space.bounds
    if x.min() < low or x.max() > high:
        seen = f"{what} returned values in [{x.min().item():g}, {x.max().item():g}]"
        fail(seen, f"values within [{low:g}, {high:g}]", "Clamp to the bounds of the space.")


# Density -------------------------------------------------------------------------------------------------------------

GRID, REACH = 800, 4.0
"""Cells to a side of the grid for integrals, and how far it reaches beyond the bounds, in widths between these."""


def check_log_prob_integrates_to_one(fixtures: Fixtures) -> None:
    """exp(log_prob) integrates to 1 over the plane, for images of two pixels."""
    try:
        model = fixtures.trained_briefly(PLANE)
    except Unsupported as refusal:
        raise CheckSkipped(f"it refuses images of two pixels, so no integral can be taken: {refusal}") from refusal
    low, high = PLANE.bounds
    beyond = REACH * (high - low)
    points, volume = cells(PLANE.shape, low - beyond, high + beyond, GRID, fixtures.device)  # (GRID², 1, 1, 2)
    p = torch.cat([log_prob(fixtures, model, part) for part in torch.split(points, 100_000)]).exp()
    is_outside = ((points < low) | (points > high)).flatten(1).any(1)
    p[is_outside & p.isnan()] = 0  # where no image can lie, a density need not be defined
    integral = p.sum().item() * volume
    if not abs(integral - 1) < 0.02:
        fail(
            f"exp(log_prob) integrates to {integral:.3f} over a plane of two pixels",
            "1 (within .02)",
            "Look at the normaliser: d·log(σ√(2π)) and the log of every Jacobian, in nats.",
        )


def log_prob(fixtures: Fixtures, plugin: object, x: Tensor) -> Tensor:
    """Return log p(x) by a model or a dataset, (n,) float64. Fails where it is not one number for each image."""
    with torch.no_grad(), fixtures.trial_environment():
        log_p: Tensor = plugin.log_prob(x)  # type: ignore[attr-defined]
    if tuple(log_p.shape) != (len(x),):
        fail(f"log_prob returned {tuple(log_p.shape)}", f"({len(x)},)", "Return one value for each image, in nats.")
    return log_p.double()


def check_log_prob_shape(fixtures: Fixtures) -> None:
    """log_prob gives one finite number for each image."""
    model = fixtures.trained_briefly(fixtures.home)
    log_p = log_prob(fixtures, model, _images(fixtures))
    if not log_p.isfinite().all():
        fail("log_prob of validation images is not finite", "nats", "Floor variances; work with logarithms throughout.")


def check_bound_shape(fixtures: Fixtures) -> None:
    """bound gives one finite number for each image."""
    model = fixtures.trained_briefly(fixtures.home)
    with torch.no_grad(), fixtures.trial_environment():
        _expect_shape("bound", model.bound(_images(fixtures)), (7,))  # type: ignore[attr-defined]


def check_bound_below_log_prob(fixtures: Fixtures) -> None:
    """bound lies below log_prob on average, where a model has both."""
    model = fixtures.trained
    if not hasattr(model, "log_prob"):
        raise CheckSkipped("it has no log_prob to compare its bound with")
    x = fixtures.split("valid").images
    with torch.no_grad(), fixtures.trial_environment():
        gap = (model.bound(x) - model.log_prob(x)).double()  # type: ignore[attr-defined]
    error = gap.std().item() / len(gap) ** 0.5
    if gap.mean().item() > 3 * error + 1e-3:
        fail(
            f"bound lies {gap.mean().item():.2f} nats above log_prob on average",
            "a lower bound",
            "Look at signs: log p(x|z) + log p(z) - log q(z|x), and that both are of the same scale of pixels.",
        )


def check_energy_shape(fixtures: Fixtures) -> None:
    """energy gives one finite number for each image."""
    model = fixtures.trained_briefly(fixtures.home)
    with torch.no_grad(), fixtures.trial_environment():
        _expect_shape("energy", model.energy(_images(fixtures)), (7,))  # type: ignore[attr-defined]


def check_energy_orders_images(fixtures: Fixtures) -> None:
    """Real images have less energy than noise."""
    model, x = fixtures.trained, fixtures.split("valid").images
    low, high = fixtures.data.space.bounds
    noise = low + (high - low) * torch.rand(x.shape, generator=torch.Generator().manual_seed(0)).to(x.device)
    with torch.no_grad(), fixtures.trial_environment():
        real, other = (model.energy(images).mean().item() for images in (x, noise))  # type: ignore[attr-defined]
    if not real < other:
        fail(
            f"energy is {real:.4g} for real images and {other:.4g} for noise",
            "less for real images: p(x) is proportional to exp(-E(x))",
            "Turn the sign, or look whether training lowers the energy of data.",
        )


# Codes ---------------------------------------------------------------------------------------------------------------


def check_decode_of_encode(fixtures: Fixtures) -> None:
    """encode gives codes (n, d), and decode makes images of them."""
    model, x = fixtures.trained_briefly(fixtures.home), _images(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        z = model.encode(x)  # type: ignore[attr-defined]
        if z.dim() != 2:
            fail(f"encode returned {tuple(z.shape)}", f"({len(x)}, d)", "Flatten codes to one row for each image.")
        _expect_shape("encode", z, (len(x), z.shape[1]))
        if hasattr(model, "decode"):
            _expect_images("decode(encode(x))", model.decode(z), len(x), fixtures.home)


def check_decode_of_latents(fixtures: Fixtures) -> None:
    """latents gives codes (n, d), the same for the same seed, and decode makes images of them."""
    model = fixtures.trained_briefly(fixtures.home)
    if not (hasattr(model, "latents") and hasattr(model, "decode")):
        raise CheckSkipped("it has not both latents and decode")
    with torch.no_grad(), fixtures.trial_environment():
        first, again = (model.latents(5, torch.Generator(fixtures.device).manual_seed(3)) for _ in range(2))
        if first.dim() != 2 or len(first) != 5 or not torch.equal(first, again):
            fail(
                f"latents(5, generator) returned {tuple(first.shape)}, twice the same: {torch.equal(first, again)}",
                "(5, d), from the generator alone",
                "Draw codes with generator=generator.",
            )
        _expect_images("decode(latents)", model.decode(first), 5, fixtures.home)


def check_reconstruct_beats_the_mean(fixtures: Fixtures) -> None:
    """Reconstructions are nearer to validation images than the mean training image is."""
    model, x = fixtures.trained, fixtures.split("valid").images
    with torch.no_grad(), fixtures.trial_environment():
        reconstructed = model.reconstruct(x)  # type: ignore[attr-defined]
    _expect_images("reconstruct", reconstructed, len(x), fixtures.data.space)
    error = (reconstructed - x).square().mean().item()
    of_mean = (fixtures.split("train").images.mean(0) - x).square().mean().item()
    if not error < of_mean:
        fail(
            f"the squared error of reconstructions is {error:.4g}, of the mean image {of_mean:.4g}",
            "less than the mean image's",
            "Look whether reconstruct passes x through what fit learnt, and scales it back.",
        )


def check_features_shape(fixtures: Fixtures) -> None:
    """features gives one row for each image."""
    model, x = fixtures.trained_briefly(fixtures.home), _images(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        f = model.features(x)  # type: ignore[attr-defined]
    if f.dim() != 2:
        fail(f"features returned {tuple(f.shape)}", f"({len(x)}, d)", "Flatten them to one row for each image.")
    _expect_shape("features", f, (len(x), f.shape[1]))


# Conditions and judgements -------------------------------------------------------------------------------------------


def check_sample_class_gives_the_class(fixtures: Fixtures) -> None:
    """sample_class gives images of the classes asked for, as a classifier of real images sees them."""
    classes = fixtures.data.classes
    if classes is None:
        raise CheckSkipped(f"{fixtures.dataset} has no labels")
    model = fixtures.trained
    labels = torch.arange(20 * classes, device=fixtures.device) % classes
    with torch.no_grad(), fixtures.trial_environment():
        x = model.sample_class(labels, torch.Generator(fixtures.device).manual_seed(0))  # type: ignore[attr-defined]
    _expect_images("sample_class", x, len(labels), fixtures.data.space)
    right = float((_classified(fixtures, x) == labels.cpu()).double().mean())
    if right < max(0.5, 2 / classes):
        fail(
            f"{right:.0%} of the images of sample_class are of the class asked for, by a classifier of real images",
            f"at least {max(0.5, 2 / classes):.0%}",
            "Look whether labels reach the generator, in fit and in sample_class, in the same order.",
        )


def _classified(fixtures: Fixtures, x: Tensor) -> Tensor:
    """Return the class of each image by its five nearest training images, (n,)."""
    from sklearn.neighbors import KNeighborsClassifier

    train = fixtures.split("train")
    assert train.labels is not None  # the dataset has classes
    classifier = KNeighborsClassifier(5).fit(train.images.flatten(1).cpu().numpy(), train.labels.cpu().numpy())
    return torch.from_numpy(classifier.predict(x.flatten(1).cpu().numpy()))


def check_inpaint_keeps_known_pixels(fixtures: Fixtures) -> None:
    """inpaint keeps the pixels whose mask is 1, and fills the others without having looked at them."""
    x = _images(fixtures)
    mask = torch.zeros_like(x)
    mask[..., : x.shape[-1] // 2] = 1
    filled, again = (_inpainted(fixtures, x, mask, hidden) for hidden in fixtures.home.bounds)
    _expect_images("inpaint", filled, len(x), fixtures.home)
    if not torch.equal(filled, again):
        fail(
            "inpaint fills other values in where other ones stand under the mask",
            "the pixels whose mask is 0 to have no part: they are not known",
            "Begin with x * mask.",
        )
    if not torch.equal(filled * mask, x * mask):
        gap = (filled * mask - x * mask).abs().max().item()
        fail(
            f"inpaint changed known pixels by up to {gap:g}",
            "the pixels whose mask is 1 as they were",
            "End with torch.where(mask.bool(), x, filled).",
        )


def _inpainted(fixtures: Fixtures, x: Tensor, mask: Tensor, hidden: float) -> Tensor:
    """Return what inpaint makes of images that hold one value wherever they are not known."""
    model, generator = fixtures.trained_briefly(fixtures.home), torch.Generator(fixtures.device).manual_seed(0)
    with torch.no_grad(), fixtures.trial_environment():
        filled: Tensor = model.inpaint(x * mask + hidden * (1 - mask), mask, generator)  # type: ignore[attr-defined]
    return filled


def check_discriminate_is_a_probability(fixtures: Fixtures) -> None:
    """discriminate gives a probability for each image."""
    model, x = fixtures.trained_briefly(fixtures.home), _images(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        p = model.discriminate(x)  # type: ignore[attr-defined]
    _expect_shape("discriminate", p, (len(x),))
    if p.min() < 0 or p.max() > 1:
        fail(
            f"discriminate lies in [{p.min().item():g}, {p.max().item():g}]",
            "probabilities in [0, 1]",
            "Return the sigmoid of the logit.",
        )


CHECKS: Mapping[str, tuple[Ability, ...]] = {
    "log_prob": (check_log_prob_shape, check_log_prob_integrates_to_one),
    "bound": (check_bound_shape, check_bound_below_log_prob),
    "log_weights": (),
    "log_joint": (),
    "log_partition": (),
    "energy_bound": (),
    "reconstruct": (check_reconstruct_beats_the_mean,),
    "encode": (check_decode_of_encode,),
    "decode": (),
    "latents": (check_decode_of_latents,),
    "sample_class": (check_sample_class_gives_the_class,),
    "inpaint": (check_inpaint_keeps_known_pixels,),
    "energy": (check_energy_shape, check_energy_orders_images),
    "features": (check_features_shape,),
    "discriminate": (check_discriminate_is_a_probability,),
}
"""The checks of each ability; decode is looked at with the codes it takes."""
