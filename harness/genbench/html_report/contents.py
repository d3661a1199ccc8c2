"""What is on the page, from the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from genbench.html_report.board_part import BoardPart
from genbench.html_report.figures_part import ModelFigures
from genbench.html_report.origins_part import Origin
from genbench.html_report.overview_part import OverviewPart
from genbench.html_report.samples_part import SamplesPart


@dataclass(frozen=True)
class DatasetPart:
    """A dataset and a split: what its scores come to in words, then all metrics side by side, then one by one."""

    place: str
    title: str
    conclusions: Sequence[str]
    cautions: Sequence[str]
    overview: OverviewPart
    boards: Sequence[BoardPart]
    samples: SamplesPart | None
    figures: Sequence[ModelFigures]
    origins: Sequence[Origin]


@dataclass(frozen=True)
class AcrossPart:
    """What a metric says of models over several datasets; diagram is of critical differences, None without a test."""

    title: str
    table: Markup
    diagram: Markup | None


@dataclass(frozen=True)
class Contents:
    """The page: its title, what it was made of, what could not be read, its parts; claims are tables of verdicts.

    notes say what else there is to know of the results folders.
    """

    title: str
    made_of: str
    problems: Sequence[str]
    notes: Sequence[str]
    datasets: Sequence[DatasetPart]
    across: Sequence[AcrossPart]
    claims: Markup
