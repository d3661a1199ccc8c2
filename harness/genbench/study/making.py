"""A study made: its images chosen and put in order, its page and key written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genbench.errors import RequestError, printable
from genbench.files import write_text
from genbench.study import key, page
from genbench.study.design import Design
from genbench.study.items import REAL, Item, items, permutation, shown_shape, shuffled
from genbench.study.stored_images import Source, sources

WIDE = 256
"""Screen pixels that the longer side of an image has at most, unless a scale is asked for: telephones have 360."""


@dataclass(frozen=True)
class Request:
    """What a study is asked to be: see Design. real and scale are None where they follow from the rest."""

    models: Sequence[str] = ()
    datasets: Sequence[str] = ()
    per_model: int = 20
    real: int | None = None
    practice: int = 10
    exposure: int = 0
    feedback: bool = False
    scale: int | None = None
    seed: int = 0


def make(results: Path, output: Path, request: Request) -> key.Key:
    """Write the page of a study of stored trials to output, its key beside it, and return the key.

    The same results and request give the same bytes. Raises RequestError for what cannot be shown, or where the key of
    another study would be lost.
    """
    chosen = sources(results, request.models, request.datasets)
    design = _design(chosen, request)
    scored, practice = _images(chosen, design, request.seed)
    content = page.content(design, scored, practice)
    made = key.Key(
        study=content["study"],
        seed=request.seed,
        design=design,
        kinds={source.label: source.kind for source in chosen},
        items=key.places(scored),
        practice=key.places(practice),
    )
    key.check_other(key.beside(output), made.study)
    key.write(made, key.beside(output))  # first: answers to a page without a key would be lost
    write_text(output, page.html(content))
    return made


def _design(chosen: Sequence[Source], request: Request) -> Design:
    """Return the design that a request comes to. Raises RequestError where the data are too few, or no images."""
    data = chosen[0].data
    _, height, width = data.shape
    if height * width == 1:
        raise RequestError(f"{chosen[0].trials[0].subject.first.dataset} has single values; expected images to show")
    real = request.real or request.per_model * len(chosen)
    if (needed := real + request.practice // 2) > data.sizes["test"]:
        expected = f"expected at most {data.sizes['test']:,}, which the test split has"
        raise RequestError(f"{needed:,} real images, with those of practice; {expected}. Give a smaller --real")
    return Design(
        dataset=printable(chosen[0].trials[0].subject.first.dataset),
        dataset_digest=data.digest,
        shape=shown_shape(data.shape),
        scale=request.scale or max(1, WIDE // max(height, width)),
        exposure=request.exposure,
        feedback=request.feedback,
        models=len(chosen),
        per_model=request.per_model,
        real=real,
        practice=request.practice,
    )


def _images(chosen: Sequence[Source], design: Design, seed: int) -> tuple[list[Item], list[Item]]:
    """Return the images to be scored and those of practice, each in an order drawn from the seed."""
    real = _real(chosen[0], design.real + design.practice // 2, seed)
    scored, practice = real[: design.real], real[design.real :]
    generated = design.practice - len(practice)
    for place, source in enumerate(chosen):
        images = source.images(design.per_model + len(range(place, generated, len(chosen))))
        scored += images[: design.per_model]
        practice += images[design.per_model :]
    return shuffled(scored, seed, "order"), shuffled(practice, seed, "practice")


def _real(source: Source, n: int, seed: int) -> list[Item]:
    """Return n images of the test split, which no model was trained on, chosen at random."""
    images = source.data.split("test").images
    rows = permutation(len(images), seed, "real")[:n]
    return items(REAL, "", rows, images[rows], source.data.bounds)
