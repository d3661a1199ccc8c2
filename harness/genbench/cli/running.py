"""What the commands that perform trials share: their options, what they print before and after, their exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from genbench.cli.paths import path
from genbench.errors import RequestError, printable
from genbench.output import numbers
from genbench.output.console import stderr_console, stdout_console
from genbench.ranking.board import Board
from genbench.ranking.overview import overviews
from genbench.registry import spec
from genbench.runs import execution
from genbench.runs.grid import describe
from genbench.runs.planning import Plan
from genbench.runs.report import Report
from genbench.store.layout import KEEPS

if TYPE_CHECKING:
    from genbench.output.tables import Table

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

LISTS = ("metrics", "datasets", "reference", "against")
"""The options that may be given several times."""


# Options -------------------------------------------------------------------------------------------------------------


def _together(*options: Callable[[Any], Any]) -> Decorator[F]:
    """Return one decorator that adds several options, in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


scored = _together(
    click.option(
        "--metrics",
        "--metric",
        multiple=True,
        metavar="NAMES",
        help="Metrics: parzen,fid[pixels] or all.  [default: parzen]",
    ),
    click.option(
        "--datasets",
        "--dataset",
        "-d",
        multiple=True,
        metavar="NAMES",
        help="Datasets: digits, mnist, npz:PATH, folder:PATH.  [default: digits]",
    ),
)
compared = _together(
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME.OPTION=VALUE",
        help="Set an option of a model, metric or dataset.",
    ),
    click.option("--reference", multiple=True, metavar="NAMES", help="Reference rows, or none.  [default: all four]"),
    click.option(
        "--against", multiple=True, metavar="CLAIMS", help="Published numbers to hold ours against: goodfellow2014."
    ),
)
images = _together(
    click.option("--size", type=click.IntRange(min=1), help="Image size for folder:PATH, and for what is evaluated."),
    click.option("--weights", type=path, metavar="PATH", help="Weights of the metrics' extractor."),
)
under = _together(
    images,
    click.option(
        "--target",
        type=click.Choice(["test", "valid"]),
        default="test",
        show_default=True,
        help="Split scored against; tune on valid.",
    ),
)
performed = _together(
    click.option(
        "--results", type=path, metavar="FOLDER", default="results", show_default=True, help="Folder of results."
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    click.option(
        "--threads",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        help="Threads per trial; other counts give other bits.",
    ),
    click.option(
        "--jobs",
        "-j",
        type=click.IntRange(1, 1024),
        help="Trials at once.  [default: one per core, at most 8; on GPUs as --jobs-per-gpu]",
    ),
    click.option(
        "--jobs-per-gpu",
        type=click.IntRange(1, 64),
        help="Trials at once on each GPU.  [default: one per 8 GiB and core, at most 5]",
    ),
    click.option("--engine", metavar="NAME", help="process, inline for a debugger, ray or slurm.  [default: process]"),
    click.option(
        "--keep",
        type=click.Choice(KEEPS),
        default="all",
        show_default=True,
        help="What stays on the disk of a trial that has its scores: all, no weights, or neither weights nor samples.",
    ),
    click.option(
        "--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Bound on each trial's time."
    ),
)
shown = _together(
    click.option("--dry-run", is_flag=True, help="Print the plan; train nothing, write no results."),
    click.option("--quiet", is_flag=True, help="No progress, only the tables."),
    click.option("--brief", is_flag=True, help="All metrics in one table, and no table for each."),
)


def parse_settings(settings: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return {"gan": {"lr": 0.05}} of texts like gan.lr=0.05. Raises RequestError for another form."""
    parsed: dict[str, dict[str, Any]] = {}
    for setting in settings:
        target, equals, raw = setting.partition("=")
        plugin, dot, option = target.strip().rpartition(".")
        known = spec.NAME.fullmatch(plugin) or spec.is_file(plugin)
        if not (equals and dot and known and spec.OPTION.fullmatch(option)):
            raise RequestError(f"--set {printable(setting)!r}: expected NAME.OPTION=VALUE, as in gan.lr=0.05")
        if option in parsed.setdefault(plugin, {}):
            raise RequestError(
                f"--set {printable(plugin)}.{option} is given twice; expected once. For several values, several "
                f"models: --models {printable(plugin)}[{option}=...],{printable(plugin)}[{option}=...]"
            )
        parsed[plugin][option] = spec.value(raw)
    return parsed


def lists(given: dict[str, Any], *more: str) -> dict[str, Any]:
    """Take out of what is given the options that may come several times, and return them: None for none."""
    return {name: list(given.pop(name)) or None for name in (*LISTS, *more)}


# Performing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Printed:
    """What of a run is printed: only the plan (dry_run), no progress (quiet), no table for each metric (brief)."""

    dry_run: bool
    quiet: bool
    brief: bool

    @classmethod
    def of(cls, given: dict[str, Any]) -> Printed:
        """Take the options `shown` out of what is given."""
        return cls(**{name: given.pop(name) for name in ("dry_run", "quiet", "brief")})


def perform(plan: Plan, printed: Printed) -> int:
    """Print what a plan is, perform it unless that is all that was asked for, and return the exit code."""
    _print_head(plan)
    return _print_plan(plan) if printed.dry_run else _run(plan, printed)


def _print_head(plan: Plan) -> None:
    console = stderr_console()
    place = f"; {plan.settings.device}, {_work(plan)}" if plan.todo else ""
    for dataset, data in zip(plan.grid.datasets, plan.data, strict=True):
        words = numbers.image_words(data.shape, data.sizes)
        console.print(printable(f"{dataset.resolved.label}, {words}{place}"), soft_wrap=True)
    stored = len(plan.grid.trials()) - len(plan.todo)
    console.print(printable(f"{describe(plan.grid)}; {stored} in the store"), soft_wrap=True)
    for note in plan.notes:
        console.print(printable(note), soft_wrap=True)


def _work(plan: Plan) -> str:
    """Return how many trials are performed at once, and with what each."""
    jobs, threads = plan.engine.settings.get("jobs", 1), plan.settings.threads
    many = "as many jobs as there is room for" if jobs is None else f"{jobs} {'job' if jobs == 1 else 'jobs'}"
    work = f"{many} x {threads} {'thread' if threads == 1 else 'threads'}"
    return f"{work}, {round(1 / plan.gpus)} share a GPU" if 0 < plan.gpus < 1 else work


def _print_plan(plan: Plan) -> int:
    todo = {trial.id for trial in plan.todo}
    for trial in plan.grid.trials():
        click.echo(printable(f"{'to do ' if trial.id in todo else 'stored'}  {trial.id}  {trial}"))
    return 0


def _run(plan: Plan, printed: Printed) -> int:
    from genbench.output import claims_table
    from genbench.output.progress import watching
    from genbench.output.terminal import print_tables

    with watching(
        stderr_console(), {trial.id: f"{trial.model.label} s{trial.seed}" for trial in plan.todo}, printed.quiet
    ) as watcher:
        report = execution.execute(plan, watcher)
    console = stdout_console()
    print_tables([*_tables(report.boards, printed.brief), *claims_table.tables(report.verdicts)], console)
    for line in _closing(report):
        console.print(printable(line), soft_wrap=True)
    return 1 if report.failed and not report.under_way else 0


SEVERAL = 3
"""Metrics on one dataset from which a run prints all of them in one table first."""


def _tables(boards: Sequence[Board], brief: bool) -> list[Table]:
    """Return what is printed of boards: an overview where there are several or one is asked for, and each by itself."""
    from genbench.output import board_table, overview_table

    found = [each for each in overviews(boards) if brief or len(each.boards) >= SEVERAL]
    return [*overview_table.tables(found), *([] if brief else board_table.tables(boards))]


def _closing(report: Report) -> list[str]:
    rows, trials = report.total
    root = report.plan.store.root
    done = sum(outcome.status == "done" for outcome in report.outcomes.values())
    lines = [
        f"{done} done in {numbers.seconds(report.seconds)}. "
        f"{root}/leaderboard.csv ({rows} rows), {root}/trials/ ({trials} trials)"
    ]
    if report.under_way:
        lines.append(f"{report.under_way} are queued or running; the same command says how they stand, and goes on")
    if report.plan.settings.tensorboard:
        lines.append(f"tensorboard --logdir {root}/tensorboard")
    lines += [f"! {note}" for note in report.notes]
    return lines + [f"not read: {problem}" for problem in report.damaged]
