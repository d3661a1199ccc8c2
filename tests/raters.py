"""Simulated raters, of whom is known how often they err."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genbench.study.key import Key

SCREEN = {"width": 1000, "height": 657.5, "pixel_ratio": 1}


def answers(key: Key, rater: str, rates: Mapping[str, float], rng: np.random.Generator) -> dict[str, Any]:
    """Return what the page saves of a rater who calls images of each source real at a rate; real ones have source ""."""
    called = ["real" if rng.random() < rates[item.source] else "generated" for item in key.items]
    return of_calls(key, rater, called)


def of_calls(key: Key, rater: str, called: list[str]) -> dict[str, Any]:
    """Return what the page saves of a rater who answers so, in the order of the page."""
    given = [
        {"item": place, "called": each, "answered_ms": 700.5, "shown_ms": 700} for place, each in enumerate(called)
    ]
    return {
        "study": key.study,
        "protocol": key.design.id,
        "rater": rater,
        "begun": "2020-01-01T10:00:00.000Z",
        "ended": "2020-01-01T10:05:00.000Z",
        "screen": SCREEN,
        "practice": [],
        "answers": given,
    }


def written(folder: Path, name: str, content: Any) -> Path:
    """Return the path of a file of answers."""
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
