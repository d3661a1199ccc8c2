"""The kinds of figures: what each shows, what a model must be able to do for it, and where it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from genbench.errors import unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from genbench.figures.trained import Trained


class Lacking(Exception):
    """A figure cannot be drawn of this trial, and nothing is wrong with that; the message says what it lacks."""


@dataclass(frozen=True)
class Kind:
    """A kind of figure. data is what it is for: images, single values, or the training's log, whatever was trained on.

    The module of its name in this package has the function `draw`, which may raise Lacking.
    """

    name: str
    shows: str
    abilities: tuple[str, ...] = ()
    data: Literal["images", "values", "log"] = "images"

    def load(self) -> Callable[[Trained], Figure]:
        """Import and return what draws it."""
        draw: Callable[[Trained], Figure] = import_module(f"genbench.figures.{self.name}").draw
        return draw


KINDS = {
    kind.name: kind
    for kind in (
        Kind("samples", "samples, and at the right the training image nearest to the one on its left"),
        Kind("walk", "images along straight lines between points of z", ("latents", "decode")),
        Kind("reconstructions", "validation images, each with its reconstruction", ("reconstruct",)),
        Kind("inpainting", "validation images with their right half filled in", ("inpaint",)),
        Kind("classes", "samples of each class, one row per class", ("sample_class",)),
        Kind("density", "the density of the data, that of the samples, and D", data="values"),
        Kind("curves", "what training logged, by update; thin: each seed, thick: their mean", data="log"),
    )
}


def chosen(asked: Sequence[str]) -> list[Kind]:
    """Return the kinds asked for, or all. Raises RequestError for a name that is none."""
    for name in asked:
        if name not in KINDS:
            raise unknown("kind of figure", name, KINDS)
    return [KINDS[name] for name in dict.fromkeys(asked or KINDS)]
