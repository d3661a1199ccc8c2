"""Figures drawn and written: every kind of every subject asked for, each on its own, so that one fault costs one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from genbench.data.folders import cache_folder
from genbench.errors import GenbenchError, NotKept, RequestError, printable
from genbench.figures import canvas
from genbench.figures.arrangement import USUAL, Layout
from genbench.figures.kinds import Kind, chosen
from genbench.figures.lacking import Lacking
from genbench.figures.subjects import Found, find
from genbench.figures.trained import Trained
from genbench.registry.plugins import describe, load_registry
from genbench.registry.resolve import Resolver
from genbench.trial.environment import resolve_device

FOLDER = "figures"


@dataclass(frozen=True)
class Outcome:
    """What became of one figure: its path, or why it was left out (nothing is wrong) or failed."""

    shows: str
    path: Path | None = None
    failed: bool = False


def draw(
    requested: str = "",
    results: Path = Path("results"),
    output: Path | None = None,
    kinds: Sequence[str] = (),
    datasets: Sequence[str] = (),
    device: str = "cpu",
    steps: Sequence[int | None] = (),
    layout: Layout = USUAL,
) -> Iterator[Outcome]:
    """Draw what is asked for (see `find`), by default all, and yield what became of each figure when it is done.

    steps are those of training that a figure is asked for at, None for its end. Raises RequestError where nothing is
    meant, and at the end where nothing was drawn.
    """
    kinds_to_draw, place = chosen(kinds, steps), resolve_device(device)
    found = find(requested, results, datasets)
    resolver = Resolver(load_registry(), cache_folder())
    drawn, why = 0, ""
    for outcome in _not_to_be_drawn(found):
        why = why or outcome.shows
        yield outcome
    for subject in found.subjects:
        trained = Trained(subject, resolver, place, {requested, *datasets}, steps, layout)
        for outcome in _draw_all(trained, kinds_to_draw, output or found.root / FOLDER, named=bool(kinds)):
            drawn += outcome.path is not None
            why = why or outcome.shows
            yield outcome
    if not drawn:
        raise RequestError(f"nothing to draw: {why or 'no kind of figure is for these data'}")


def _not_to_be_drawn(found: Found) -> Iterator[Outcome]:
    for problem in found.damaged:
        yield Outcome(f"not read: {problem}", failed=True)
    for trial in found.untrained:
        record = trial.record
        reason = f": {record.reason}" if record.reason else ""
        yield Outcome(printable(f"{trial}: it has no trained model ({record.status}{reason})"))


def _draw_all(trained: Trained, kinds: Sequence[Kind], output: Path, named: bool) -> Iterator[Outcome]:
    """Draw the kinds that suit this data, or all that were named; what the model lacks is reported in one line."""
    subject, lacking = trained.subject, []
    problem = _problem(trained) if any(kind.data != "log" for kind in kinds) else None
    if problem:
        yield problem
    elif any(kind.data != "log" for kind in kinds) and trained.missing:
        yield Outcome(f"{subject.first}: without its data, and what shows them: {trained.missing}")
    for kind in kinds if named or problem else [kind for kind in kinds if not _mismatch(kind, trained)]:
        if problem and kind.data != "log":
            continue
        path = output / f"{subject.stem}-{kind.name}.{trained.layout.form}"
        try:
            figure = drawn(trained, kind)
        except (Lacking, NotKept) as reason:
            lacking.append(f"{kind.name} ({reason})")
        except Exception as error:
            yield Outcome(f"{kind.name} of {subject.first}: {_in_words(error)}", failed=True)
        else:
            canvas.save(figure, path)
            yield Outcome(kind.without if kind.without and trained.missing else kind.shows, path)
    if lacking:
        yield Outcome(printable(f"left out of {subject.first}: {', '.join(lacking)}", 500))


def _problem(trained: Trained) -> Outcome | None:
    """Return why a trial's data or model cannot be had, or None; each kind itself says so of a model let go."""
    try:
        with trained.trial_environment("restore"):
            _ = trained.model
    except NotKept:
        return None
    except Exception as error:
        reason = f"no pictures of {trained.subject.first}: {_in_words(error)}"
        return Outcome(reason, failed=not isinstance(error, Lacking))
    return None


def drawn(trained: Trained, kind: Kind) -> Figure:
    """Return a figure of a kind.

    Raises Lacking where it is not for the data, or the model is not able to do what it needs.
    """
    if reason := _mismatch(kind, trained):
        raise Lacking(reason)
    missing = [ability for ability in kind.abilities if ability not in trained.able]
    if missing:
        raise Lacking(f"no {' and no '.join(missing)}")
    if kind.needs_data and trained.missing:
        raise Lacking("its data are not here")
    with trained.trial_environment(kind.name), canvas.defaults():
        return kind.load()(trained)


def _mismatch(kind: Kind, trained: Trained) -> str:
    """Return why a kind is not for the data of a trial, or ""."""
    if kind.data == "images" and trained.space.dim == 1:
        return "data of a single value are no images"
    if kind.data == "values" and trained.space.dim != 1:
        return f"for data of a single value, not of {trained.space.dim}"
    return ""


def _in_words(error: Exception) -> str:
    return printable(error) if isinstance(error, GenbenchError | Lacking) else describe(error)
