"""The page of a study: one HTML file with all that it needs, and without the key."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genbench import files
from genbench.study.design import Design
from genbench.study.items import Item

TEMPLATE = Path(__file__).with_name("page.html")
HOLE = "STUDY_AS_JSON"
"""Where the template takes what it shows."""


def content(design: Design, items: Sequence[Item], practice: Sequence[Item]) -> dict[str, Any]:
    """Return what the page holds of a study: pixels in the order shown, and nothing of where they are from.

    Whether an image is real is there for those alone of which the rater is told.
    """
    held = {
        "protocol": design.id,
        "shape": design.shape,
        "scale": design.scale,
        "exposure": design.exposure,
        "items": _encoded(items),
        "practice": _encoded(practice),
        "practice_is_real": _truth(practice),
        "is_real": _truth(items) if design.feedback else None,
    }
    return {"study": files.digest(held, 12), **held}


def html(content: dict[str, Any]) -> str:
    """Return the page of a content."""
    return TEMPLATE.read_text(encoding="utf-8").replace(HOLE, files.canonical(content))


def _encoded(items: Sequence[Item]) -> list[str]:
    """Return pixels as base64: raw, so that equal sizes have equal lengths whatever they show."""
    return [base64.b64encode(item.pixels).decode() for item in items]


def _truth(items: Sequence[Item]) -> list[bool]:
    return [item.is_real for item in items]
