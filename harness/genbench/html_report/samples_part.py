"""Samples side by side: as many of each model and seed, beside real images, with the nearest training images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.errors import GenbenchError, printable
from genbench.figures.canvas import tiles
from genbench.figures.lacking import Lacking
from genbench.figures.samples import nearest
from genbench.figures.subjects import Stored
from genbench.figures.trained import Trained
from genbench.html_report.pixel_png import Picture, grid
from genbench.html_report.stored_trials import StoredTrials
from genbench.ranking.board import BoardRow
from genbench.ranking.overview import Overview
from genbench.trial import restoring

SHOWN, COLUMNS = 20, 10
"""Samples of each model and seed, and how many stand in a row."""


@dataclass(frozen=True)
class Shown:
    """The samples of a model's seed, and the training images nearest to them where the data are here."""

    seed: int
    samples: Picture
    nearest: Picture | None


@dataclass(frozen=True)
class SamplesRow:
    """A model's samples by seed; why says what is missing, or ""."""

    model: str
    samples_are: str
    seeds: Sequence[Shown]
    why: str = ""


@dataclass(frozen=True)
class SamplesPart:
    """Real images, some of each class where they have labels, and every model's samples."""

    real: Picture | None
    classes: Picture | None
    rows: Sequence[SamplesRow]
    seeds: Sequence[int]
    without: str = ""
    shown: int = SHOWN


def samples_part(overview: Overview, stored: StoredTrials) -> SamplesPart | None:
    """Return the samples of all models on a dataset; None of data that are no images, or where no samples are kept."""
    rows = list(trained_rows(overview))
    data = next(filter(None, map(stored.trained, rows)), None)
    if data is None or data.space.dim == 1:
        return None
    shown = [_samples_row(row, stored, data) for row in rows]
    seeds = sorted({each.seed for row in shown for each in row.seeds})
    if not seeds:
        return None
    if data.missing:
        return SamplesPart(None, None, shown, seeds, printable(data.missing))
    return SamplesPart(_real(data), _classes(data), shown, seeds)


def trained_rows(overview: Overview) -> Iterator[BoardRow]:
    """Yield a row of each model that was trained here, of the first board that it is on."""
    for row in overview.rows:
        if row.kind != "published":
            yield next(on for on in row.on if on)


def _samples_row(row: BoardRow, stored: StoredTrials, data: Trained) -> SamplesRow:
    shown, why = [], ""
    for trial in stored.of(row).values():
        try:
            shown.append(_shown(trial, data))
        except (GenbenchError, Lacking) as error:
            why = why or printable(error)
    why = why or ("" if shown else "none are stored")
    return SamplesRow(printable(row.model), row.samples_are, shown, why)


def _shown(trial: Stored, data: Trained) -> Shown:
    """Return a trial's first samples. Raises Lacking where none are stored, DamagedError where they are damaged."""
    samples = _first_samples(trial, data)
    seed = trial.record.seed
    own = _picture(samples, data, f"{len(samples)} samples of {trial}")
    if data.missing:
        return Shown(seed, own, None)
    train = data.data.split("train", torch.device("cpu")).images
    copies = train[nearest(samples, train)]
    return Shown(seed, own, _picture(copies, data, f"the training images nearest to the samples of {trial}"))


def _first_samples(trial: Stored, data: Trained) -> Tensor:
    if not restoring.has_samples(trial.record):
        raise Lacking(trial.record.lacking or "none are stored")
    paths = restoring.shards(trial.folder, trial.record, most=1)
    return restoring.sample_rows(paths, data.space, 0, SHOWN)


def _real(data: Trained) -> Picture:
    images = data.data.split("test", torch.device("cpu")).images[:SHOWN]
    return _picture(images, data, f"{len(images)} real test images")


def _classes(data: Trained) -> Picture | None:
    """Return two training images of each of the first classes, a column each; None without labels."""
    train = data.data.split("train", torch.device("cpu"))
    if train.labels is None:
        return None
    places = [torch.nonzero(train.labels == label).flatten()[:2] for label in range(data.space.classes or 0)]
    whole = [each for each in places if len(each) == 2][:COLUMNS]
    if not whole:
        return None
    images = train.images[torch.cat([torch.stack(whole)[:, row] for row in (0, 1)])]
    return _picture(images, data, "two training images of each class", len(whole))


def _picture(images: Tensor, data: Trained, shows: str, columns: int = COLUMNS) -> Picture:
    return grid(tiles(images, data.space.bounds), columns, printable(shows))
