"""What every dataset must hold: parts that share nothing, images and labels in range, a digest that stays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genbench.data import validation
from genbench.data.folders import data_folder
from genbench.data.validation import Content
from genbench.errors import DataError, GenbenchError
from genbench.registry import options
from genbench.testing.fixtures import Fixtures
from genbench.testing.fresh_process import ask
from genbench.testing.outcomes import CheckSkipped, fail
from genbench.testing.subject import Subject


def loaded(subject: Subject) -> Content:
    """Return what the dataset loads. Raises CheckSkipped where its files are not here, DataError for a wrong form."""
    try:
        splits = subject.make().load(data_folder())
    except DataError as error:
        raise CheckSkipped(f"its files are not here: {error}") from error
    return validation.checked(subject.label, splits)


def loaded_digest(subject: Subject) -> str:
    """Return the digest of what the dataset loads."""
    found = loaded(subject)
    return validation.digest(found.arrays, found.classes, found.bounds)


def check_content(fixtures: Fixtures) -> None:
    """Images and labels are arrays of one form, within the bounds, all finite, each image with its label."""
    try:
        loaded(fixtures.subject)
    except DataError as error:
        fail(str(error), "splits as genbench.Splits describes them", "Mend load.")


def check_splits_are_disjoint(fixtures: Fixtures) -> None:
    """No image is in two splits, or no larger share of them than comes twice within train."""
    found = loaded(fixtures.subject)
    images = {split: found.arrays[f"{split}-images"] for split in validation.SPLITS}
    sets = {split: _rows(images[split]) for split in validation.SPLITS}
    twice = 1 - len(sets["train"]) / len(images["train"])
    for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        shared = len(sets[one] & sets[other])
        if shared > twice * len(sets[other]):
            fail(
                f"{shared} different images of {other} are in {one} too, and {twice:.1%} of train come twice in it",
                "splits that share no image",
                "Look at the ends of slices: [:n] and [n:].",
            )


def _rows(images: NDArray[Any]) -> set[bytes]:
    return {image.tobytes() for image in images}


def check_digest_is_stable(fixtures: Fixtures) -> None:
    """Loaded again, here and in a new process, it is the same to the bit."""
    digests = {loaded_digest(fixtures.subject) for _ in range(2)}
    digests.add(ask(fixtures.subject, "digest"))
    if len(digests) > 1:
        fail(
            "loaded three times, it is not the same to the bit",
            "the same images in the same order",
            "Sort what is listed from folders, and permute by genbench.io.permutation(n, seed).",
        )


def check_values_fill_the_range(fixtures: Fixtures) -> None:
    """Pixel values make use of the range between the bounds: they were not scaled twice, or not at all."""
    found = loaded(fixtures.subject)
    images = found.arrays["train-images"]
    low, high = (0.0, 255.0) if images.dtype == np.uint8 else found.bounds
    used = (float(images.max()) - float(images.min())) / (high - low)
    if used < 0.2:
        fail(
            f"values of the training images lie in [{images.min():g}, {images.max():g}]",
            f"values that fill [{low:g}, {high:g}]",
            "Look whether they were divided by 255 twice, or declare their bounds.",
        )


def check_labels_cover_the_classes(fixtures: Fixtures) -> None:
    """Every class has training and test images."""
    found = loaded(fixtures.subject)
    if found.classes is None:
        raise CheckSkipped("it has no labels")
    for split in ("train", "test"):
        labels = found.arrays[f"{split}-labels"]
        if absent := sorted(set(range(found.classes)) - set(labels.tolist())):
            fail(
                f"{split} has no image of class {', '.join(map(str, absent))}",
                f"all {found.classes} classes in it",
                "Count classes from 0, and permute images before they are split.",
            )


def check_folds_can_be_asked_for(fixtures: Fixtures) -> None:
    """Where it is split in several ways, an option `fold` says which, and every one of them can be had."""
    subject = fixtures.subject
    if subject.cls.folds == 1:
        return
    for fold in range(subject.cls.folds):
        try:
            options.complete(subject.cls, subject.label, {**subject.given, "fold": fold})
        except GenbenchError as error:
            fail(
                f"it has {subject.cls.folds} folds, and fold={fold} is refused: {error}",
                f"an option fold that takes 0 to {subject.cls.folds - 1}",
                "Add the field, as in `fold: Annotated[int, Ge(0), Le(4)] = 0`, or mend `folds`.",
            )


FORM = (check_folds_can_be_asked_for,)

CHECKS = (
    check_content,
    check_splits_are_disjoint,
    check_digest_is_stable,
    check_values_fill_the_range,
    check_labels_cover_the_classes,
)
