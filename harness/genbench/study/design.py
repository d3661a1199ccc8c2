"""How a study shows images, and how many: its protocol."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from genbench import files
from genbench.store.schema import Count, Sha256, Whole

METRIC = "user-study"

PROCEDURE = 1
"""Raised when the page shows or asks in another way: answers to it are then of another protocol."""

Positive = Annotated[int, Field(ge=1, le=1 << 16)]


class Design(Whole):
    """What the answers to a study depend on, beside its images and raters.

    shape is (C, H, W) of the images as shown, C being 1 or 3; scale how many screen pixels (CSS px) wide each of theirs
    is; exposure how long an image is shown, in milliseconds, before a mask hides it, 0 for until it is answered. real,
    per_model and practice are numbers of images; those of practice are half real, half generated, and not scored.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    dataset_digest: Sha256
    shape: Annotated[list[Positive], Field(min_length=3, max_length=3)]
    scale: Positive
    exposure: Count
    feedback: bool
    models: Positive
    per_model: Positive
    real: Positive
    practice: Count

    @property
    def fields(self) -> dict[str, Any]:
        """Return what the id is a hash of; the dataset's name is not, as its digest says more."""
        return {"metric": METRIC, "procedure": PROCEDURE, **self.model_dump(exclude={"dataset"})}

    @property
    def id(self) -> str:
        """Return the protocol's id, 8 hex digits: answers to different ones are not to be compared."""
        return files.digest(self.fields, 8)

    @property
    def items(self) -> int:
        """Return how many images are scored."""
        return self.models * self.per_model + self.real

    def in_words(self) -> str:
        """Return the protocol for the caption under a table."""
        _, height, width = self.shape
        shown = f"each for {self.exposure:,} ms, then a mask" if self.exposure else "each until it is answered"
        models = f"each of {self.models} models" if self.models > 1 else "one model"
        return "; ".join(
            (
                f"{height}x{width} pixels shown {self.scale} times as wide",
                shown,
                f"{self.per_model} images of {models} among {self.real} of the test split",
                f"{self.practice} images for practice",
                "told after each answer" if self.feedback else "not told which were right",
            )
        )
