"""The kinds of figures: what each shows, what a model must be able to do for it, and where it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from genbench.errors import RequestError, printable, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from genbench.figures.trained import Trained


@dataclass(frozen=True)
class Kind:
    """A kind of figure. data is what it is for: images, single values, both, or the training's log.

    needs_data says whether it shows the images that were trained on, or trains again: where they are not it is left
    out. without is what it shows then, where it shows less.

    The module of its name in this package has the function `draw`, which may raise Lacking.
    """

    name: str
    shows: str
    abilities: tuple[str, ...] = ()
    data: Literal["images", "values", "both", "log"] = "images"
    needs_data: bool = False
    without: str = ""

    def load(self) -> Callable[[Trained], Figure]:
        """Import and return what draws it."""
        draw: Callable[[Trained], Figure] = import_module(f"genbench.figures.{self.name}").draw
        return draw


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "samples",
            "samples, and at the right the training image nearest to the one on its left",
            without="samples; without the training images nearest to them, for the data are not here",
        ),
        Kind("walk", "images along straight lines between points of z", ("latents", "decode")),
        Kind("reconstructions", "validation images, each with its reconstruction", ("reconstruct",), needs_data=True),
        Kind(
            "denoising",
            "validation images, noisy or with hidden pixels, and reconstructed",
            ("reconstruct",),
            needs_data=True,
        ),
        Kind("inpainting", "validation images with their right half filled in", ("inpaint",), needs_data=True),
        Kind("classes", "samples of each class, one row per class", ("sample_class",)),
        Kind("density", "the density of the data, that of the samples, and D", data="values", needs_data=True),
        Kind(
            "steps",
            "the trial after so many updates of its training, which is done again for it",
            data="both",
            needs_data=True,
        ),
        Kind("curves", "what training logged, by update; thin: each seed, thick: their mean", data="log"),
    )
}


STEPS = "steps"
"""The kind that trains again: it is drawn only where its steps are given."""

MOST_STEPS = 12


def chosen(requested: Sequence[str], steps: Sequence[int | None] = ()) -> list[Kind]:
    """Return the kinds asked for, or all; where steps are given and nothing else, theirs alone.

    Raises RequestError for an unknown name, and for the name of the steps where no steps are given.
    """
    for name in requested:
        if name not in KINDS:
            raise unknown("kind of figure", name, KINDS)
    if STEPS in requested and not steps:
        raise RequestError("--kind steps: which steps? Give them too: --steps 0,200,1000,end")
    names = [*requested, STEPS] if steps else requested or [name for name in KINDS if name != STEPS]
    return [KINDS[name] for name in dict.fromkeys(names)]


def parse_steps(text: str) -> list[int | None]:
    """Return the steps of a text like 0,200,end in order, None for the end. Raises RequestError for another form."""
    parts = {part.strip() for part in text.split(",")}
    numbers = sorted(int(part) for part in parts if re.fullmatch("[0-9]{1,12}", part))
    if len(numbers) + ("end" in parts) != len(parts):
        raise RequestError(f"--steps {printable(text)!r}: expected updates of training, and end, as in 0,200,1000,end")
    if len(parts) > MOST_STEPS:
        raise RequestError(f"--steps {printable(text)!r}: {len(parts)} steps; expected at most {MOST_STEPS}")
    return [*numbers, *([None] if "end" in parts else [])]
