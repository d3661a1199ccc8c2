"""Images made elsewhere as they are asked for: under a name, a file or folder for each seed, in a model's place."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from genbench import files
from genbench.api import SamplesAre, Space
from genbench.data import file_state, images, likeness
from genbench.data.given import GivenImages
from genbench.data.images import Images
from genbench.data.resizing import in_words
from genbench.errors import RequestError, printable, unknown
from genbench.registry import spec
from genbench.registry.plugins import READ_AS_MISSING, Registry
from genbench.registry.resolve import Resolved

TARGET = "genbench.data.given:GivenImages"
ORIGIN = "evaluate"
"""What stands for the distribution of images made elsewhere, which have none."""

NOT_STATED = "not said"
"""What samples are whose maker did not say what they are."""

Paths = Sequence[str | os.PathLike[str]] | str | os.PathLike[str]


@dataclass(frozen=True)
class Source:
    """Images made elsewhere, as they are planned: their paths as typed, and what stands in a model's place, by seed."""

    name: str
    paths: Sequence[Path]
    seeds: Sequence[Resolved]
    size: int = 0

    def opened(self, space: Space) -> list[Images]:
        """Return the images of each seed. Raises DataError where some are none of a space."""
        return [images.opened(path, space, self.size) for path in self.paths]


def check(model: Resolved) -> None:
    """Raise ChangedError where a trial is to score images that are not what they were when it was planned."""
    if model.traits.get("given"):
        file_state.check_unchanged(Path(model.settings["path"]), model.settings["state"])


def again(stored: Mapping[str, Any]) -> Resolved:
    """Return what stood in a model's place in a stored trial. Nothing that the record names is imported."""
    options, settings = dict(stored["options"]), dict(stored["settings"])
    return _resolved(stored["name"], stored["distribution_version"], options, settings, stored["version"])


# From what was asked for ---------------------------------------------------------------------------------------------


def find(
    given: Mapping[str, Paths], samples_are: Mapping[str, str] | str | None, registry: Registry, size: int = 0
) -> list[Source]:
    """Return the sources asked for by name, their files read and digested; size is what they are to be resized to.

    Raises RequestError for a name that cannot be one and paths that match nothing, DataError for what cannot be read.
    """
    if not given:
        raise RequestError("no images given; expected NAME=PATH, as in ours=images.npz or ours=folder/")
    for name in given:
        _check_name(name, registry)
    declared = _declared(given, samples_are)
    return [_source(name, _paths(name, given_path), declared[name], size) for name, given_path in given.items()]


def _source(name: str, paths: Sequence[Path], declared: str, size: int) -> Source:
    states = [file_state.state(path) for path in paths]
    contents = [file_state.content(path) for path in paths]
    for path, found in zip(paths, contents, strict=True):
        first = paths[contents.index(found)]
        if first is not path:
            raise _same(name, f"{printable(path)} holds the same as {printable(first)}")
    options = {"contents": contents, "declared": declared, **({"size": size} if size else {})}
    edition = files.digest([GivenImages.version, options], 16)
    settings = [{"path": str(path.absolute()), "state": state} for path, state in zip(paths, states, strict=True)]
    seeds = [_resolved(name, edition, options, each, GivenImages.version) for each in settings]
    return Source(name, paths, seeds, size)


def _same(name: str, found: str) -> RequestError:
    return RequestError(
        f"{name}: {found}; expected images of another seed in each, since their spread is taken for an error"
    )


def _resolved(
    name: str, edition: str, options: Mapping[str, Any], settings: Mapping[str, str], version: int
) -> Resolved:
    """Return what stands in a model's place for one seed."""
    return Resolved(
        kind="model",
        name=name,
        label=name,
        target=TARGET,
        version=version,
        distribution=ORIGIN,
        distribution_version=edition,
        options=options,
        settings=settings,
        traits={
            "samples_are": options["declared"],
            "role": "model",
            "chains": None,
            "abilities": [],
            "given": True,
        },
        source="",
    )


def _check_name(name: str, registry: Registry) -> None:
    if not isinstance(name, str) or not spec.NAME.fullmatch(name) or name in READ_AS_MISSING:
        raise RequestError(
            f"name {printable(name)!r}: expected small letters, digits and '-', beginning with a letter, at most 40, "
            f"and none of {', '.join(sorted(READ_AS_MISSING))}; as in ours=images.npz"
        )
    if name in {entry.name for entry in registry.entries("model")}:
        raise RequestError(f"name {name!r} is that of a model; expected one of your own, as in my-{name}=images.npz")


def _declared(given: Mapping[str, Paths], samples_are: Mapping[str, str] | str | None) -> dict[str, str]:
    """Return what the samples of each source are said to be."""
    stated = dict.fromkeys(given, samples_are) if isinstance(samples_are, str) else dict(samples_are or {})
    for name, words in stated.items():
        if name not in given:
            raise unknown("source of images", name, given)
        if words not in get_args(SamplesAre):
            raise RequestError(
                f"samples of {name} are {printable(words)!r}; expected one of: {', '.join(get_args(SamplesAre))}"
            )
    return {name: stated.get(name) or NOT_STATED for name in given}


def _paths(name: str, given_path: Paths) -> list[Path]:
    """Return the files and folders that paths and patterns stand for. A text may hold several, by commas."""
    if isinstance(given_path, str):
        texts: Sequence[str | os.PathLike[str]] = spec.split(given_path)
    else:
        texts = [given_path] if isinstance(given_path, os.PathLike) else list(given_path)
    if not texts:
        raise RequestError(f"{name}: no path given; expected a file or folder of images, as in {name}=images.npz")
    return [path for text in texts for path in _matches(name, text)]


def _matches(name: str, given_path: str | os.PathLike[str]) -> list[Path]:
    text = os.path.expanduser(
        os.fspath(given_path).strip('"') if isinstance(given_path, str) else os.fspath(given_path)
    )
    if not text.isprintable():
        raise RequestError(f"{name}: the path {printable(text)} has characters that are no text here; rename it")
    if os.path.exists(text) or not glob.has_magic(text):
        return [Path(text)]
    found = sorted(glob.glob(text), key=os.fsencode)
    if not found:
        raise RequestError(f"{name}: nothing matches {printable(text)!r}; expected files or folders of images")
    return [Path(path) for path in found]


# What is in them -----------------------------------------------------------------------------------------------------


def check_seeds_differ(name: str, opened: Sequence[Images]) -> None:
    """Raise RequestError where all images of one seed are among those of another, in whatever order and files.

    Every image of each seed is read. Raises DataError where one cannot be.
    """
    if len(opened) < 2:
        return
    seeds = [(each.path, likeness.digests(each)) for each in opened]
    for seed, other in itertools.combinations(seeds, 2):
        (most, more), (least, fewer) = sorted((seed, other), key=lambda each: -len(each[1]))
        if fewer <= more:
            raise _same(name, f"the images of {printable(least)} are all in {printable(most)}")


# What metrics may ask of them ----------------------------------------------------------------------------------------


def fewest(sources: Sequence[Source], space: Space) -> tuple[int, str]:
    """Return the least number of images that a seed of a source has, and where. Raises DataError as `opened` does."""
    return min(_counted(sources, space))


def _counted(sources: Sequence[Source], space: Space) -> list[tuple[int, str]]:
    """Return how many images each seed of each source has, and where."""
    return [(found.count, f"{source.name} ({found.path})") for source in sources for found in source.opened(space)]


def equal(sources: Sequence[Source], space: Space) -> int:
    """Return the number of images that each seed of each source has. Raises RequestError where they differ."""
    counted = _counted(sources, space)
    (least, where), (most, other) = min(counted), max(counted)
    if most != least:
        raise RequestError(
            f"--samples all: {printable(other)} has {most:,} images and {printable(where)} {least:,}; expected as many "
            f"in each: give --samples {least}"
        )
    return least


def resizing(sources: Sequence[Source], space: Space) -> str:
    """Return in words how images of sources are resized, "" where none is. Raises DataError as `opened` does."""
    some = next((each for each in sources if any(found.is_resized for found in each.opened(space))), None)
    return in_words(some.size) if some else ""


def notes(sources: Sequence[Source], space: Space) -> list[str]:
    """Return what was understood that could have been meant otherwise."""
    return [f"{source.name}: {found.note}" for source in sources for found in source.opened(space) if found.note]
