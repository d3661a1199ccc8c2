"""What models can do and what they cost, as tables: a source's words for families, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from genbench.errors import printable
from genbench.output import numbers
from genbench.output.blocks import Block, Line
from genbench.ranking.capabilities import Capability
from genbench.ranking.claims import ASPECTS, Family

HEADS = ("model", "train", "samples/s", "ess", "inference", "density", "chain", "family")
RIGHT = (False, True, True, True, False, False, False, False)

WORDS = {
    "training": "Training",
    "inference": "Inference",
    "sampling": "Sampling",
    "density": "Evaluating p(x)",
    "design": "Model design",
}
"""The aspects as the paper's Table 2 names its rows."""


def blocks(found: Sequence[Capability], families: Sequence[Family]) -> list[Block]:
    """Return a block with what is said of families, and one for each dataset with what was measured on it."""
    by_dataset: dict[str, list[Capability]] = {}
    for row in found:
        by_dataset.setdefault(row.dataset, []).append(row)
    measured = [
        Block(f"Measured on {printable(dataset)}", [_line(row) for row in rows], _CAPTION, HEADS, RIGHT)
        for dataset, rows in by_dataset.items()
    ]
    return [*_said(families), *measured]


_CAPTION = (
    "train: mean over trials; samples/s: burn-in of chains included; ess: effective number of samples, where recorded.",
    "inference: codes for images (encode); density: exact (log_prob) or a lower bound (bound); chain: a Markov chain.",
)


def _said(families: Sequence[Family]) -> list[Block]:
    """Return a source's words as its table has them: a row per aspect, a column per family."""
    by_source: dict[str, list[Family]] = {}
    for family in families:
        by_source.setdefault(family.source, []).append(family)
    return [
        Block(
            title=f"In the words of {printable(source)}, shortened",
            lines=[
                Line((WORDS[aspect], *(printable(getattr(family, aspect)) for family in several))) for aspect in ASPECTS
            ],
            caption=(),
            heads=("", *(printable(family.name) for family in several)),
            right=[False] * (1 + len(several)),
        )
        for source, several in by_source.items()
    ]


def _line(row: Capability) -> Line:
    cells = (
        printable(row.model),
        numbers.seconds(row.fit_seconds),
        _whole(row.samples_per_second),
        _whole(row.ess),
        _yes(row.inference),
        numbers.MISSING if row.density is None else row.density or "no",
        _yes(row.chain),
        printable(row.family.name) if row.family else numbers.MISSING,
    )
    return Line(cells)


def _whole(value: float | None) -> str:
    return numbers.MISSING if value is None else numbers.count(round(value)) if value >= 100 else numbers.short(value)


def _yes(flag: bool | None) -> str:
    return numbers.MISSING if flag is None else "yes" if flag else "no"
