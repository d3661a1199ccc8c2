"""What every model must hold when it is sampled: shapes, ranges, and randomness that comes from the seed alone."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from genbench.api import Model, SamplesAre, Space
from genbench.errors import NotFitted, Unsupported
from genbench.registry.plugins import describe
from genbench.testing.fingerprint import changed, of_state
from genbench.testing.fixtures import Fixtures
from genbench.testing.made_images import SPACES, in_words
from genbench.testing.outcomes import fail

COUNTS = (1, 2, 7, 1000)

SHAPES_ADVICE = "Take shape, labels and bounds from space; where one cannot be, raise genbench.Unsupported in build."


def check_shapes(fixtures: Fixtures) -> None:
    """It trains on images of any shape, with and without labels, and samples images like them; or refuses by name."""
    refused = 0
    for space in SPACES:
        try:
            model = fixtures.trained_briefly(space)
        except Unsupported as refusal:
            refused += 1
            if not str(refusal).strip():
                fail(f"{in_words(space)} is refused without a word", "what is needed", "Say it in Unsupported(...).")
            continue
        except Exception as error:
            fail(f"training on {in_words(space)} raised {describe(error)}", "a fitted model", SHAPES_ADVICE)
        _check_samples(fixtures.sample(model, 2), 2, space, f"on {in_words(space)}")
    if refused == len(SPACES):
        fail("every space is refused", "at least one that works", SHAPES_ADVICE)


def _check_samples(x: object, n: int, space: Space, where: str) -> None:
    """Fail unless x are n samples, (n, C, H, W) float32 within the bounds, finite, without gradient."""
    expected = (n, *space.shape)
    if not isinstance(x, Tensor) or tuple(x.shape) != expected or x.dtype != torch.float32:
        seen = f"{tuple(x.shape)} {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        fail(f"{where} sample returned {seen}", f"{expected} torch.float32", "Return n images, (n, C, H, W).")
    if x.requires_grad:
        fail(f"{where} samples carry a gradient", "none", "Decorate sample with @torch.no_grad().")
    if not x.isfinite().all():
        count = int((~x.isfinite()).sum())
        fail(f"{where} {count} values of samples are not finite", "numbers", "Look for log(0), 0/0 and overflow.")
    (low, high), least, greatest = space.bounds, x.min().item(), x.max().item()
    if least < low or greatest > high:
        fail(
            f"{where} samples lie in [{least:g}, {greatest:g}]",
            f"values within [{low:g}, {high:g}]",
            "End with a sigmoid stretched to space.bounds, or clamp (and declare samples_are = 'clipped').",
        )


def check_samples(fixtures: Fixtures) -> None:
    """Any number of samples can be asked for: 1, 2, 7 and 1,000 of them are images within the bounds."""
    model = fixtures.trained_briefly(fixtures.home)
    for n in COUNTS:
        _check_samples(fixtures.sample(model, n), n, fixtures.home, f"for n = {n}")


def check_not_fitted(fixtures: Fixtures) -> None:
    """Before build and fit, sample raises NotFitted; between the two it may sample, or raise that too."""
    new, built = fixtures.subject.make(), fixtures.built(fixtures.home)
    for model, when, may_sample in ((new, "before build", False), (built, "before fit", True)):
        try:
            fixtures.sample(model, 2)
        except NotFitted:
            continue
        except Exception as error:
            seen = f"sample {when} raised {describe(error)}"
        else:
            seen = f"sample {when} returned samples"
            if may_sample:
                continue
        fail(
            seen,
            "genbench.NotFitted",
            "Read what build and fit make from attributes ending in _ (their absence raises it), or raise it yourself.",
        )


def check_seed_decides_samples(fixtures: Fixtures) -> None:
    """The same seed gives the same samples, another one others."""
    model = fixtures.trained_briefly(fixtures.home)
    first, again, other = (fixtures.sample(model, 7, seed) for seed in (1, 1, 2))
    if not torch.equal(first, again):
        fail(
            "the same seed gave other samples",
            "the same bits",
            "Take all randomness from the generator that sample is handed.",
        )
    if torch.equal(first, other):
        fail("another seed gave the same samples", "others", "Use the generator that sample is handed.")


def check_sampling_changes_nothing(fixtures: Fixtures) -> None:
    """Sampling leaves the learned state as it is."""
    model = fixtures.trained_briefly(fixtures.home)
    before = of_state(model)
    fixtures.sample(model, 7)
    if names := changed(before, of_state(model)):
        fail(
            f"sampling changed {', '.join(names)}",
            "the state that fit left",
            "Start chains anew in each call of sample, work on copies, and keep modules in eval mode.",
        )


def check_more_samples_change_none(fixtures: Fixtures) -> None:
    """The first samples stay the same when more are drawn, however the batches are cut."""
    space, size = fixtures.home, fixtures.subject.cls.sample_batch
    model = fixtures.restored(fixtures.trained_briefly(space), space)
    both = fixtures.draw(model, space, range(2))
    second = fixtures.draw(fixtures.restored(model, space), space, range(1, 2))
    first = fixtures.draw(model, space, range(1))
    for drawn, part, which in ((both[:size], first, "first"), (both[size:], second, "second")):
        if not torch.equal(drawn, part):
            fail(
                f"the {which} batch of samples depends on what else was drawn",
                "each batch to depend on its generator alone",
                "Keep nothing from one call of sample to the next.",
            )


def check_samples_are_true(fixtures: Fixtures) -> None:
    """samples_are says what samples are: draws, means, clipped, reconstructions or real images."""
    model = fixtures.trained
    declared = model.samples_are
    if declared not in get_args(SamplesAre):
        fail(
            f"samples_are is {declared!r}",
            f"one of {', '.join(get_args(SamplesAre))}",
            "It stands in every table: scores depend on it.",
        )
    x = fixtures.sample(model, 200)
    share = _share_copied(x, fixtures.split("train").images)
    if (declared == "real images") != (share > 0.99):
        fail(
            f"samples_are is {declared!r}, and {share:.0%} of 200 samples are training images to the bit",
            "'real images' for those, and for nothing else",
            "Declare samples_are as they are.",
        )
    low, high = fixtures.data.space.bounds
    if declared == "clipped" and not ((x == low) | (x == high)).any():
        fail("samples_are is 'clipped', and no value lies at a bound", "some that do", "Declare 'draws' or 'means'.")
    if declared == "draws" and _are_means(fixtures, model):
        fail(
            "samples_are is 'draws', and samples are decode(latents): means of p(x|z), in a model that has a density",
            "'means'",
            "Declare samples_are = 'means', or draw from p(x|z).",
        )
    if declared == "draws" and (cut := _share_cut(fixtures)):
        fail(
            f"samples_are is 'draws', and {cut:.1%} of their values lie on a bound, where no training image has any",
            "'clipped'",
            "Declare samples_are = 'clipped': a density that is cut off puts mass on the bounds.",
        )


def _share_copied(x: Tensor, training: Tensor) -> float:
    """Return the share of samples that are training images to the bit."""
    known = {image.numpy().tobytes() for image in training.cpu()}
    return sum(image.numpy().tobytes() in known for image in x.cpu()) / len(x)


def _share_cut(fixtures: Fixtures) -> float:
    """Return the share of values on a bound, of a model of images that have none there; 0 for two-valued samples."""
    x = fixtures.sample(fixtures.trained_briefly(fixtures.home), 200)
    low, high = fixtures.home.bounds
    share = ((x == low) | (x == high)).double().mean().item()
    return share if 0.001 < share < 1 else 0.0


@torch.no_grad()
def _are_means(fixtures: Fixtures, model: Model) -> bool:
    """Return whether a model with a density hands out decode(latents) for samples."""
    if model.family != "explicit" or not (hasattr(model, "latents") and hasattr(model, "decode")):
        return False
    generator = torch.Generator(fixtures.device).manual_seed(0)
    z = model.latents(7, generator)
    generator.manual_seed(0)
    return torch.equal(model.sample(7, generator), model.decode(z))


def check_chains_are_declared(fixtures: Fixtures) -> None:
    """A model whose samples come from Markov chains says how many run in parallel."""
    model = fixtures.subject.make()
    chains = model.chains
    if (chains is None) != (model.family != "chain"):
        fail(
            f"family is {model.family!r} and chains is {chains!r}",
            "a number of chains for the family 'chain', None for the others",
            "Declare family: ClassVar = 'chain' and an option chains: sample i is of chain i % chains.",
        )
    if chains is not None and not (isinstance(chains, int) and chains >= 1):
        fail(f"chains is {chains!r}", "a whole number from 1", "Declare chains: Annotated[int, Ge(1)] = 100.")


CHECKS = (
    check_shapes,
    check_samples,
    check_not_fitted,
    check_seed_decides_samples,
    check_sampling_changes_nothing,
    check_more_samples_change_none,
    check_samples_are_true,
    check_chains_are_declared,
)
