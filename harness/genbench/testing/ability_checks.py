"""What a model's abilities must hold, for those it has: see `genbench.abilities`. Densities: `likelihood_checks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from genbench.api import Space
from genbench.testing import likelihood_checks
from genbench.testing.fixtures import Fixtures
from genbench.testing.made_images import training_data
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.shapes import expect_shape

Ability = Callable[[Fixtures], None]


def _images(fixtures: Fixtures, n: int = 7) -> Tensor:
    """Return validation images of the space that abilities are tried on, (n, C, H, W)."""
    return fixtures.on_device(training_data(fixtures.home)).valid.images[:n]


def _expect_images(what: str, x: Tensor, n: int, space: Space) -> None:
    expect_shape(what, x, (n, *space.shape))
    low, high = space.bounds
    if x.min() < low or x.max() > high:
        seen = f"{what} returned values in [{x.min().item():g}, {x.max().item():g}]"
        fail(seen, f"values within [{low:g}, {high:g}]", "Clamp to the bounds of the space.")


# Codes ---------------------------------------------------------------------------------------------------------------


def check_decode_of_encode(fixtures: Fixtures) -> None:
    """encode gives codes (n, d), and decode makes images of them."""
    model, x = fixtures.trained_briefly(fixtures.home), _images(fixtures)
    with torch.no_grad(), fixtures.trial_environment():
        z = model.encode(x)  # type: ignore[attr-defined]
        if z.dim() != 2:
            fail(f"encode returned {tuple(z.shape)}", f"({len(x)}, d)", "Flatten codes to one row for each image.")
        expect_shape("encode", z, (len(x), z.shape[1]))
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
    expect_shape("features", f, (len(x), f.shape[1]))


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
    expect_shape("discriminate", p, (len(x),))
    if p.min() < 0 or p.max() > 1:
        fail(
            f"discriminate lies in [{p.min().item():g}, {p.max().item():g}]",
            "probabilities in [0, 1]",
            "Return the sigmoid of the logit.",
        )


CHECKS: Mapping[str, tuple[Ability, ...]] = {
    **likelihood_checks.CHECKS,
    "reconstruct": (check_reconstruct_beats_the_mean,),
    "encode": (check_decode_of_encode,),
    "decode": (),
    "latents": (check_decode_of_latents,),
    "sample_class": (check_sample_class_gives_the_class,),
    "inpaint": (check_inpaint_keeps_known_pixels,),
    "features": (check_features_shape,),
    "discriminate": (check_discriminate_is_a_probability,),
}
"""The checks of each ability; decode is looked at with the codes it takes."""
