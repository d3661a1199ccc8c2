"""What every feature extractor must hold: a row for each image, whoever is beside it, and a digest that stays."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.testing.fingerprint import changed, of_tensors
from genbench.testing.fixtures import Fixtures
from genbench.testing.fresh_process import ask
from genbench.testing.outcomes import fail

IMAGES = 64


@torch.no_grad()
def _features(fixtures: Fixtures, images: Tensor) -> Tensor:
    extractor = fixtures.extractor()
    with fixtures.trial_environment():
        return extractor.features(images)


def _images(fixtures: Fixtures) -> Tensor:
    return fixtures.split("test").images[:IMAGES].clone()


def check_features(fixtures: Fixtures) -> None:
    """Features are finite float32, one row for each image."""
    images = _images(fixtures)
    f = _features(fixtures, images)
    if f.dim() != 2 or len(f) != len(images) or f.dtype != torch.float32:
        seen = f"features of {len(images)} images are {tuple(f.shape)} {f.dtype}"
        fail(seen, f"({len(images)}, d) torch.float32", "Flatten to one row for each image.")
    if not f.isfinite().all():
        fail("features are not finite", "numbers", "Look for log(0) and 0/0.")


def check_batch_is_irrelevant(fixtures: Fixtures) -> None:
    """The features of an image do not depend on the images beside it."""
    images = _images(fixtures)
    together = _features(fixtures, images)
    apart = torch.cat([_features(fixtures, part) for part in torch.split(images, [1, 7, IMAGES - 8])])
    if not torch.allclose(together, apart, rtol=1e-4, atol=1e-5):
        gap = (together - apart).abs().max().item()
        fail(
            f"in other batches features differ by up to {gap:.3g}",
            "the same whatever is beside an image",
            "Put modules into eval mode, and normalise by constants, not by a batch's own mean.",
        )


def check_images_untouched(fixtures: Fixtures) -> None:
    """Extraction leaves the images as they are, and gives the same features again."""
    images = _images(fixtures)
    before = of_tensors(images=images)
    first, again = _features(fixtures, images), _features(fixtures, images)
    if changed(before, of_tensors(images=images)):
        fail("features changed the images", "images as they were", "Work on copies: x = x * 2 - 1, never x *= 2.")
    if not torch.equal(first, again):
        fail("the same images have other features the second time", "the same bits", "Seed weights by a constant.")


@torch.no_grad()
def check_one_pass(fixtures: Fixtures) -> None:
    """What one pass gives, features and logits, is what each of them is alone."""
    images, extractor = _images(fixtures), fixtures.extractor()
    if not hasattr(extractor, "features_and_logits"):
        return
    with fixtures.trial_environment():
        alone = {name: getattr(extractor, name)(images) for name in ("features", "logits")}
        together = extractor.features_and_logits(images)
    for (name, values), other in zip(alone.items(), together, strict=True):
        if values.shape != other.shape or not torch.allclose(values, other, rtol=1e-4, atol=1e-5):
            fail(
                f"features_and_logits gives other {name} than {name} does",
                "the same, features first",
                "Return (features, logits) of one pass, and let both methods call it.",
            )


def check_digest(fixtures: Fixtures) -> None:
    """The digest is a text that is the same in a new process, and so are features."""
    here = fixtures.extractor().digest
    if not isinstance(here, str) or not here:
        fail(f"digest is {here!r}", "a text that names weights and preprocessing", "Return one, such as a SHA-256.")
    there, features = ask(fixtures.subject, "features", dataset=fixtures.dataset, n=IMAGES)
    if here != there:
        fail(
            f"digest is {here} here and {there} in a new process",
            "the same: scores are compared by it",
            "Use no hash() and no id() in it: hashlib.sha256 of the weights' file is stable.",
        )
    if not torch.allclose(torch.tensor(features), _features(fixtures, _images(fixtures)).cpu(), 1e-4, 1e-5):
        fail(
            "in a new process the same images have other features",
            "the same, since the digest is",
            "Draw weights from a generator of a constant seed, or read them from a file whose digest is given.",
        )


CHECKS = (check_features, check_batch_is_irrelevant, check_images_untouched, check_one_pass, check_digest)
