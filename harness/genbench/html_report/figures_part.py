"""What else is to be seen of models: learning curves over seeds, walks, reconstructions, whatever each is able to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from genbench.errors import NotKept, printable
from genbench.figures.drawing import drawn
from genbench.figures.kinds import KINDS, Kind
from genbench.figures.lacking import Lacking
from genbench.figures.trained import Trained
from genbench.html_report.inline_svg import inline
from genbench.html_report.pixel_png import Picture, of_figure
from genbench.html_report.places import anchor
from genbench.html_report.samples_part import trained_rows
from genbench.html_report.stored_trials import StoredTrials
from genbench.ranking.overview import Overview
from genbench.registry.plugins import describe

SHOWN = ("curves", "density", "walk", "reconstructions", "inpainting", "classes")


@dataclass(frozen=True)
class Drawn:
    """A figure as lines or as pixels, and what it shows."""

    shows: str
    svg: Markup | None = None
    png: Picture | None = None


@dataclass(frozen=True)
class ModelFigures:
    """The figures of a model; why says which could not be drawn, or ""."""

    model: str
    figures: Sequence[Drawn]
    why: str = ""


def figures_part(overview: Overview, stored: StoredTrials) -> list[ModelFigures]:
    """Return the figures of each model on a dataset that has any."""
    found = []
    for row in trained_rows(overview):
        trained = stored.trained(row)
        if trained is not None:
            problems: list[str] = []
            place = anchor("figures", overview.dataset, overview.target, row.model, row.kind)
            drawn_ones = list(_all(trained, place, problems))
            found.append(ModelFigures(printable(row.model), drawn_ones, printable("; ".join(problems), 1000)))
    return [each for each in found if each.figures or each.why]


def _all(trained: Trained, place: str, problems: list[str]) -> Iterator[Drawn]:
    """Yield the figures that can be drawn; problems gets what went wrong, which what a model cannot do is not."""
    for kind in (KINDS[name] for name in SHOWN):
        try:
            yield _one(trained, kind, place)
        except (Lacking, NotKept):
            continue
        except Exception as error:  # plugins do whatever they do; the rest of the page stands
            problems.append(f"{kind.name}: {describe(error)}")


def _one(trained: Trained, kind: Kind, place: str) -> Drawn:
    figure: Figure = drawn(trained, kind)
    whose = trained.subject if kind.data == "log" else trained.subject.first
    shows = printable(f"{kind.name} of {whose}: {kind.shows}", 600)
    if kind.data in ("log", "values"):
        return Drawn(shows, svg=inline(figure, f"{place}-{kind.name}", shows))
    return Drawn(shows, png=of_figure(figure, shows))
